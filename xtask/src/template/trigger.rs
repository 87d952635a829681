//! What starts a function: a route, a schedule, a queue, the table's stream or EC2's notifications.

use app::ports::Queue;
use http_api::{Endpoint, Function, Interval, Trigger};
use serde_json::{Map, Value, json};

use super::logical;
use super::parameters::queue_arn;
use super::yaml::{absent, attribute, reference, sub, when};

/// API Gateway waits this long; its own limit is 30 s.
const GATEWAY_TIMEOUT_MILLIS: u32 = 29_000;

/// The resources of a function's trigger.
pub(super) fn resources(function: &Function) -> Map<String, Value> {
    let id = format!("{}Function", logical(function.name));
    match function.trigger {
        Trigger::Http(ref endpoint) => route(&id, endpoint),
        Trigger::Schedule { name, every } => schedule(&id, function.name, name, every),
        Trigger::Queue { queue, batch_size, max_concurrency } => mapping(&id, queue, batch_size, max_concurrency),
        Trigger::Stream { sort_keys, batch_size } => stream(&id, function.name, sort_keys, batch_size),
        Trigger::Ec2StateChange => state_changes(&id),
    }
}

fn route(id: &str, endpoint: &Endpoint) -> Map<String, Value> {
    let integration = format!("{id}Integration");
    // Path parameters are a star in an ARN.
    let path: Vec<&str> = endpoint.path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect();
    let caller = format!(
        "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{ApiId}}/*/{}{}",
        endpoint.method,
        path.join("/"),
    );
    Map::from_iter([
        (format!("{id}Permission"), permission(id, "apigateway.amazonaws.com", sub(caller))),
        (
            format!("{id}Route"),
            json!({
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": reference("ApiId"),
                    // The function itself verifies the token and the role.
                    "AuthorizationType": "NONE",
                    "RouteKey": format!("{} {}", endpoint.method, endpoint.path),
                    "Target": sub(format!("integrations/${{{integration}}}")),
                },
            }),
        ),
        (
            integration,
            json!({
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": reference("ApiId"),
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": attribute(id, "Arn"),
                    "PayloadFormatVersion": "2.0",
                    "TimeoutInMillis": GATEWAY_TIMEOUT_MILLIS,
                },
            }),
        ),
    ])
}

fn schedule(id: &str, function: &str, name: &str, every: Interval) -> Map<String, Value> {
    let rate = match every {
        Interval::Minute => "rate(1 minute)".into(),
        // At least five: its grammar wants a plural.
        Interval::Labs => sub("rate(${LabsIntervalMinutes} minutes)"),
        // EventBridge insists on its grammar.
        Interval::Metrics => {
            when("EveryMinute", "rate(1 minute)".into(), sub("rate(${MetricsIntervalMinutes} minutes)"))
        }
    };
    let retry = json!({ "MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60 });
    let mut resources = Map::from_iter([
        (
            name.to_owned(),
            json!({
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": sub(format!("${{Prefix}}-{name}")),
                    "Description": format!("Starts {function}"),
                    "ScheduleExpression": rate,
                    "Targets": [target(id, &retry)],
                },
            }),
        ),
        (format!("{id}Permission"), permission(id, "events.amazonaws.com", attribute(name, "Arn"))),
    ]);
    // A failed tick is not kept, so somebody has to hear of it.
    let errors = Measure { metric: "Errors", statistic: "Sum", periods: 3, threshold: 1 };
    resources.insert(format!("{id}Alarm"), alarm(id, &format!("{function} fails again and again"), &errors));
    resources
}

/// What an alarm of a function looks at, in periods of 5 minutes.
struct Measure {
    metric: &'static str,
    statistic: &'static str,
    periods: u32,
    threshold: u32,
}

fn alarm(id: &str, description: &str, measure: &Measure) -> Value {
    json!({
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": description,
            "Namespace": "AWS/Lambda",
            "MetricName": measure.metric,
            "Dimensions": [{ "Name": "FunctionName", "Value": reference(id) }],
            "Statistic": measure.statistic,
            "Period": 300,
            "EvaluationPeriods": measure.periods,
            "Threshold": measure.threshold,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": when("AlarmsAreSent", json!([reference("AlarmTopicArn")]), absent()),
        },
    })
}

/// Past this age, a record that failed each time is given up: 6 of the 24 hours that the stream keeps it,
/// so that its place is in the dead letters while it can still be read there. No shard waits longer.
const OLDEST_RECORD_SECS: u32 = 6 * 60 * 60;
/// How far publishing may be behind before somebody hears of it.
const LATEST_MILLIS: u32 = 5 * 60 * 1000;

fn stream(id: &str, function: &str, sort_keys: &str, batch_size: u32) -> Map<String, Value> {
    let pattern =
        json!({ "dynamodb": { "Keys": { "sk": { "S": [{ "prefix": sort_keys }] } } }, "eventName": ["INSERT"] });
    let mapping = json!({
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": reference(id),
            "EventSourceArn": reference("TableStreamArn"),
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": batch_size,
            "FilterCriteria": { "Filters": [{ "Pattern": pattern.to_string() }] },
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": true,
            // More would keep the order of each item only, and a worker's events are items of their own.
            "ParallelizationFactor": 1,
            // Until it is too old: an outage of the bus is no reason to give up.
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": OLDEST_RECORD_SECS,
            "DestinationConfig": { "OnFailure": { "Destination": reference("EventsDeadLettersArn") } },
        },
    });
    let behind = Measure { metric: "IteratorAge", statistic: "Maximum", periods: 1, threshold: LATEST_MILLIS };
    Map::from_iter([
        (format!("{id}Mapping"), mapping),
        (format!("{id}Alarm"), alarm(id, &format!("{function} is more than 5 minutes behind"), &behind)),
    ])
}

fn mapping(id: &str, queue: Queue, batch_size: u32, max_concurrency: u32) -> Map<String, Value> {
    let mapping = json!({
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": reference(id),
            "EventSourceArn": reference(&queue_arn(queue)),
            "BatchSize": batch_size,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": { "MaximumConcurrency": max_concurrency },
        },
    });
    Map::from_iter([(format!("{id}Mapping"), mapping)])
}

fn state_changes(id: &str) -> Map<String, Value> {
    let retry = json!({ "MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600 });
    let rule = json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": sub("${Prefix}-Ec2StateChange"),
            "Description": "What EC2 says happens to instances, here and where infra/event-forwarding.yaml is deployed",
            "EventPattern": {
                "source": ["aws.ec2"],
                "detail-type": ["EC2 Instance State-change Notification"],
            },
            "Targets": [target(id, &retry)],
        },
    });
    Map::from_iter([
        ("Ec2StateChange".to_owned(), rule),
        (format!("{id}Permission"), permission(id, "events.amazonaws.com", attribute("Ec2StateChange", "Arn"))),
    ])
}

fn target(id: &str, retry: &Value) -> Value {
    json!({
        "Id": id,
        "Arn": attribute(id, "Arn"),
        "DeadLetterConfig": { "Arn": reference("EventsDeadLettersArn") },
        "RetryPolicy": retry,
    })
}

fn permission(id: &str, service: &str, source: Value) -> Value {
    let mut permission = json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": { "Action": "lambda:InvokeFunction", "FunctionName": reference(id), "Principal": service },
    });
    permission["Properties"]["SourceArn"] = source;
    permission
}
