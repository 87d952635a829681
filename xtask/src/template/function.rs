//! The function itself, its role and its log.

use http_api::{Function, Trigger};
use serde_json::{Map, Value, json};

use super::policy::{in_vpc, statements};
use super::yaml::{absent, attribute, reference, sub, when};
use super::{account, environment, logical};

/// A function's memory in MiB. Its processor's share grows with it; consumers work on many things at once.
pub(super) fn memory(function: &Function) -> u32 {
    match function.trigger {
        Trigger::Queue { .. } => 512,
        Trigger::Http(_) | Trigger::Schedule { .. } | Trigger::Stream { .. } | Trigger::Ec2StateChange => 256,
    }
}

/// How many may run at once, for those that no queue mapping limits: a tick has no use for a second
/// one beside it, and a storm of notifications must not take every other function's room.
pub(super) fn reserved(function: &Function) -> Option<u32> {
    match function.trigger {
        Trigger::Schedule { .. } => Some(1),
        Trigger::Ec2StateChange => Some(10),
        // A shard has one at a time, and how many shards there are DynamoDB decides.
        Trigger::Http(_) | Trigger::Queue { .. } | Trigger::Stream { .. } => None,
    }
}

/// The resources that every function has.
pub(super) fn resources(function: &Function) -> Map<String, Value> {
    let id = format!("{}Function", logical(function.name));
    let (role, logs) = (format!("{id}Role"), format!("{id}Logs"));
    let mut resources = Map::new();
    resources.insert(
        logs.clone(),
        json!({
            "Type": "AWS::Logs::LogGroup",
            // A log is worth its retention, not more: it goes with its function.
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": sub(format!("/aws/lambda/${{Prefix}}-{}", function.name)),
                "RetentionInDays": reference("LogRetentionDays"),
            },
        }),
    );
    resources.insert(
        id,
        json!({
            "Type": "AWS::Serverless::Function",
            "Properties": properties(function, &role, &logs),
        }),
    );
    let statements: Vec<Value> = statements(function).iter().map(super::policy::Statement::json).collect();
    let mut as_role = json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": sub(format!("${{Prefix}}: what {} may do", function.name)),
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
            ]},
            "Policies": [{
                "PolicyName": function.name,
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
            }],
        },
    });
    if let Some(name) = account::role_name(function) {
        as_role["Properties"]["RoleName"] = name;
    }
    resources.insert(role, as_role);
    resources
}

fn properties(function: &Function, role: &str, logs: &str) -> Value {
    let mut properties = json!({
        "FunctionName": sub(format!("${{Prefix}}-{}", function.name)),
        "Description": function.summary,
        "Handler": function.name,
        "CodeUri": format!("../../target/lambda/{}/", function.zone.name()),
        "MemorySize": memory(function),
        "Timeout": function.time_limit().as_secs(),
        "Role": attribute(role, "Arn"),
        "LoggingConfig": { "LogGroup": reference(logs), "LogFormat": "JSON" },
    });
    let variables = environment::own(function);
    if variables.as_object().is_some_and(|variables| !variables.is_empty()) {
        properties["Environment"] = json!({ "Variables": variables });
    }
    if let Some(reserved) = reserved(function) {
        properties["ReservedConcurrentExecutions"] = when("ConcurrencyIsReserved", reserved.into(), absent());
    }
    if in_vpc(function) {
        let place = json!({
            "SubnetIds": { "Fn::Split": [",", reference("SubnetIds")] },
            "SecurityGroupIds": [reference("SecurityGroupId")],
        });
        properties["VpcConfig"] = when("InVpc", place, absent());
    }
    match function.trigger {
        // The next tick is the retry; a late one is worth nothing.
        Trigger::Schedule { .. } => {
            properties["EventInvokeConfig"] = json!({ "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60 });
        }
        Trigger::Ec2StateChange => {
            let on_failure = json!({ "Type": "SQS", "Destination": reference("EventsDeadLettersArn") });
            properties["EventInvokeConfig"] = json!({
                "MaximumRetryAttempts": 2,
                "MaximumEventAgeInSeconds": 3600,
                "DestinationConfig": { "OnFailure": on_failure },
            });
        }
        Trigger::Http(_) | Trigger::Queue { .. } | Trigger::Stream { .. } => {}
    }
    properties
}
