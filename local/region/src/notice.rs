//! EventBridge's event of an instance's change of state, as AWS sends it.

use domain::Timestamp;
use serde_json::{Value, json};

use crate::instance::Instance;

/// The event of `instance` having entered its state at `at`.
/// Source: EC2 user guide, "State change events for your instances".
pub(crate) fn state_change(instance: &Instance, at: Timestamp, random: u128) -> Value {
    let (account, region, id) = (&instance.account, &instance.region, &instance.id);
    json!({
        "version": "0",
        "id": uuid(random),
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": account.as_str(),
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": region.as_str(),
        "resources": [format!("arn:{}:ec2:{region}:{account}:instance/{id}", partition(region.as_str()))],
        "detail": { "instance-id": id.as_str(), "state": instance.state.name() },
    })
}

fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A version 4 UUID of these bits.
fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
