//! Parameters and conditions of the generated stacks: what each is in the root, and which ones a stack uses.

use std::collections::BTreeSet;

use app::ports::Queue;
use serde_json::{Map, Value, json};

use super::logical;
use super::yaml::{attribute, reference, when};

/// Parameters that the root has under the same name.
const SAME: [&str; 41] = [
    "AccountRoleArns",
    "AccountRoles",
    "AlarmTopicArn",
    "AllowImport",
    "AmiNamesByRegion",
    "BackupRetentionDays",
    "DefaultAmiName",
    "DefaultInstanceType",
    "DiscoveryPlaces",
    "FallbackInstanceTypes",
    "IdleShutdown",
    "IdleTimeoutMinutes",
    "LabOwners",
    "LabsIntervalMinutes",
    "LogLevel",
    "LogRetentionDays",
    "ManualChangeHoldMinutes",
    "MetricsIntervalMinutes",
    "MinimumUptimeMinutes",
    "NetworkMode",
    "OidcAudiences",
    "OidcClientId",
    "OidcInternalIssuer",
    "OidcIssuer",
    "OidcJwksUrl",
    "OidcLeewaySecs",
    "OidcLogoutUrl",
    "OidcRoleClaims",
    "OidcRoleNames",
    "OperationRetentionDays",
    "Prefix",
    "ReserveConcurrency",
    "SafeMode",
    "SampleRetentionDays",
    "SessionIdleMinutes",
    "SessionMaxMinutes",
    "StopNoticeMinutes",
    "SubnetIds",
    "TrustedImageOwners",
    "Visibility",
    "WorkerRoleArn",
];

/// The parameter with a queue's URL.
pub(super) fn queue_url(queue: Queue) -> String {
    format!("{}QueueUrl", logical(queue.name()))
}

/// The parameter with a queue's ARN.
pub(super) fn queue_arn(queue: Queue) -> String {
    format!("{}QueueArn", logical(queue.name()))
}

/// Every parameter there is, with the root's expression for it.
fn all() -> Vec<(String, Value)> {
    let output = |stack: &str, name: &str| attribute(stack, &format!("Outputs.{name}"));
    let mut all: Vec<(String, Value)> = SAME.iter().map(|name| ((*name).to_owned(), reference(name))).collect();
    let data = [
        "TableName",
        "TableArn",
        "TableStreamArn",
        "SealingKeyArn",
        "EventBusName",
        "EventBusArn",
        "EventsDeadLettersArn",
        "EventsDeadLettersUrl",
        "FilesBucketName",
        "FilesBucketArn",
    ];
    for name in data {
        all.push((name.into(), output("Data", name)));
    }
    for queue in Queue::ALL {
        for name in [queue_url(queue), queue_arn(queue)] {
            let value = output("Data", &name);
            all.push((name, value));
        }
    }
    all.push(("ApiId".into(), output("Api", "ApiId")));
    all.push(("PublicUrl".into(), when("PublicUrlIsGiven", reference("PublicUrl"), output("Api", "ApiUrl"))));
    let group = when("InVpc", output("Network", "SecurityGroupId"), "".into());
    all.push(("SecurityGroupId".into(), group));
    all
}

/// Every condition there is.
fn conditions() -> [(&'static str, Value); 7] {
    let given = |name: &str| json!({ "Fn::Not": [{ "Fn::Equals": [reference(name), ""] }] });
    let is_true = |name: &str| json!({ "Fn::Equals": [reference(name), "true"] });
    [
        ("AlarmsAreSent", given("AlarmTopicArn")),
        ("ConcurrencyIsReserved", is_true("ReserveConcurrency")),
        ("EveryMinute", json!({ "Fn::Equals": [reference("MetricsIntervalMinutes"), "1"] })),
        ("ImportIsAllowed", is_true("AllowImport")),
        ("InVpc", given("SubnetIds")),
        ("OtherAccountsAreReached", given("AccountRoleArns")),
        ("RoleCanBePassed", given("WorkerRoleArn")),
    ]
}

/// The conditions that these resources use.
pub(super) fn used_conditions(resources: &Value) -> Value {
    let mut names = BTreeSet::new();
    walk(resources, &mut |key, value| {
        if key == "Fn::If" {
            names.extend(value.get(0).and_then(Value::as_str).map(str::to_owned));
        }
    });
    let used = conditions().into_iter().filter(|(name, _)| names.contains(*name));
    used.map(|(name, condition)| (name.to_owned(), condition)).collect::<Map<_, _>>().into()
}

/// The parameters that this template uses, with the root's expressions for them.
pub(super) fn used(template: &Value) -> Vec<(String, Value)> {
    let mut text = String::new();
    let mut names = BTreeSet::new();
    walk(template, &mut |key, value| match (key, value) {
        ("Ref", Value::String(name)) => {
            names.insert(name.clone());
        }
        ("Fn::Sub", Value::String(words)) => text.push_str(words),
        _ => {}
    });
    all().into_iter().filter(|(name, _)| names.contains(name) || text.contains(&format!("${{{name}}}"))).collect()
}

fn walk(value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                visit(key, value);
                walk(value, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}
