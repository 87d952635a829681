//! `GetMetricData` against ministack. The SDK speaks CloudWatch's binary protocol (rpcv2Cbor), which
//! ministack understands and moto does not.

use std::sync::Arc;

use app::ports::{CloudWatch, MetricsRequest};
use aws_fleet::{AwsCloudWatch, FixedRoles, FleetClients};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use domain::metrics::CloudWatchReading;
use domain::{InstanceId, SignedDuration, Timestamp};

use super::ec2::{HOME, place};
use super::set_up;

const REGION: &str = "us-east-1";

async fn put(client: &Client, instance: &InstanceId, namespace: &str, name: &str, at: Timestamp, value: f64) {
    let dimension = Dimension::builder().name("InstanceId").value(instance.as_str()).build();
    let at = DateTime::from_secs(at.as_second());
    let datum = MetricDatum::builder().metric_name(name).dimensions(dimension).timestamp(at).value(value).build();
    client.put_metric_data().namespace(namespace).metric_data(datum).send().await.unwrap();
}

#[tokio::test]
async fn the_newest_numbers_of_each_instance_come_back_and_what_has_none_is_absent() {
    let config = aws::sdk_config_for(&set_up("WIRE_MINISTACK_URL"));
    let client = Client::new(&config);
    let number = u64::from(std::process::id());
    let [full, bare]: [InstanceId; 2] = [1, 2].map(|n| format!("i-{n:01x}{number:016x}").parse().unwrap());
    // ministack drops what is older than two weeks, by the machine's clock. A whole period.
    let now = app::ports::Clock::now(&functions::SystemClock);
    let now = Timestamp::from_second(now.as_second() / 300 * 300).unwrap();
    let before = |minutes| now - SignedDuration::from_mins(minutes);
    for (at, value) in [(before(15), 10.0), (before(10), 20.0)] {
        put(&client, &full, "AWS/EC2", "CPUUtilization", at, value).await;
        put(&client, &full, "AWS/EC2", "NetworkIn", at, value * 100.0).await;
        put(&client, &full, "AWS/EC2", "NetworkOut", at, value * 1000.0).await;
    }
    put(&client, &full, "CWAgent", "mem_used_percent", before(10), 40.0).await;
    put(&client, &bare, "AWS/EC2", "CPUUtilization", before(10), 5.0).await;

    let clients = FleetClients::new(&config, HOME.parse().unwrap(), "collect-aws", Arc::new(FixedRoles::default()));
    let request = MetricsRequest { instances: vec![full.clone(), bare.clone()], from: before(20), to: now };
    let found = AwsCloudWatch::new(Arc::new(clients)).metrics(&place(HOME, REGION), &request).await.unwrap();
    assert_eq!(found.iter().map(|one| &one.id).collect::<Vec<_>>(), [&full, &bare]);
    let expected = CloudWatchReading {
        cpu_percent: Some(20.0),
        memory_percent: Some(40.0),
        network_in_bytes: Some(2_000.0),
        network_out_bytes: Some(20_000.0),
    };
    assert_eq!(found[0].reading, expected);
    assert_eq!(found[1].reading, CloudWatchReading { cpu_percent: Some(5.0), ..CloudWatchReading::default() });
}
