//! The table, the queues and the rules.

use std::collections::BTreeSet;

use app::ports::Queue;
use domain::evidence::{EVIDENCE_FOLDER, EVIDENCE_KEPT_DAYS};
use http_api::Trigger;
use serde_json::{Value, json};

use super::functions::pascal;
use super::repository::Repository;
use super::templates::{self, Template, target};

comparisons![
    every_queue_of_the_product_is_deployed_and_no_other,
    every_queue_gives_up_to_dead_letters_with_an_alarm,
    a_message_stays_invisible_for_six_times_its_consumers_time,
    every_rule_tries_again_and_keeps_what_it_could_not_deliver,
];

const DATA: &str = "infra/data.yaml";

fn every_queue_of_the_product_is_deployed_and_no_other(repository: &Repository) -> Vec<String> {
    let template = Template::load(repository, DATA);
    let mut problems = Vec::new();
    let id = |queue: Queue| format!("{}Queue", pascal(queue.name()));
    let wanted: BTreeSet<String> = Queue::ALL.into_iter().map(id).collect();
    let deployed = template.of_type("AWS::SQS::Queue").filter(|(id, _)| id.ends_with("Queue"));
    problems.extend(
        deployed
            .filter(|(id, _)| !wanted.contains(*id))
            .map(|(id, _)| format!("{DATA}: {id} is no queue of the product")),
    );
    for queue in Queue::ALL {
        let id = id(queue);
        let Some(resource) = template.resources().get(&id) else {
            problems.push(format!("{DATA}: there is no {id}"));
            continue;
        };
        let properties = &resource["Properties"];
        let suffix = if queue.is_fifo() { ".fifo" } else { "" };
        let name = format!("${{Prefix}}-{}{suffix}", queue.name());
        let mut expect = |what: &str, fits: bool| {
            if !fits {
                problems.push(format!("{DATA}: {id} has another {what}"));
            }
        };
        expect("QueueName", properties["QueueName"]["Fn::Sub"] == name.as_str());
        expect("FifoQueue", (properties["FifoQueue"] == true) == queue.is_fifo());
        expect("SqsManagedSseEnabled", properties["SqsManagedSseEnabled"] == true);
    }
    problems
}

fn every_queue_gives_up_to_dead_letters_with_an_alarm(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for template in templates::all(repository) {
        for (id, queue) in template.of_type("AWS::SQS::Queue") {
            if id.ends_with("DeadLetters") {
                let watched = template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
                    let alarm = &alarm["Properties"];
                    target(&alarm["Dimensions"][0]["Value"]) == id
                        && alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
                        && !alarm["AlarmActions"].is_null()
                });
                if !watched {
                    problems.push(format!("{}: no alarm watches {id}", template.path));
                }
                continue;
            }
            let redrive = &queue["Properties"]["RedrivePolicy"];
            let dead_letters = target(&redrive["deadLetterTargetArn"]);
            let Some(target) = template.resources().get(dead_letters) else {
                problems.push(format!("{}: {id} has no dead-letter queue", template.path));
                continue;
            };
            if redrive["maxReceiveCount"] != 5 {
                problems
                    .push(format!("{}: {id} has the maxReceiveCount {}", template.path, redrive["maxReceiveCount"]));
            }
            if target["Properties"]["FifoQueue"] != queue["Properties"]["FifoQueue"] {
                problems.push(format!("{}: only one of {id} and {dead_letters} is FIFO", template.path));
            }
        }
    }
    problems
}

fn a_message_stays_invisible_for_six_times_its_consumers_time(repository: &Repository) -> Vec<String> {
    let template = Template::load(repository, DATA);
    let deployed = templates::functions(repository);
    let mut problems = Vec::new();
    for function in &repository.functions {
        let Trigger::Queue { queue, .. } = function.trigger else { continue };
        let Some(it) = deployed.get(function.name) else { continue };
        let id = format!("{}Queue", pascal(queue.name()));
        let Some(queue) = template.resources().get(&id) else { continue };
        let visibility = queue["Properties"]["VisibilityTimeout"].as_u64().unwrap_or_default();
        let timeout = it.properties["Timeout"].as_u64().unwrap_or(u64::MAX / 6);
        if visibility < 6 * timeout {
            problems.push(format!("{id}: visibility {visibility} s is less than 6 x {timeout} s of {}", function.name));
        }
    }
    problems
}

fn every_rule_tries_again_and_keeps_what_it_could_not_deliver(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    let data = Template::load(repository, DATA);
    let queue = "EventsDeadLetters";
    if data.of_type("AWS::SQS::Queue").all(|(id, _)| id != queue) {
        problems.push(format!("{DATA}: {queue} is missing"));
    }
    let lets_events_in = |policy: &Value| {
        let policy = &policy["Properties"];
        target(&policy["Queues"][0]) == queue
            && policy["PolicyDocument"]["Statement"][0]["Principal"]["Service"] == "events.amazonaws.com"
    };
    if !data.of_type("AWS::SQS::QueuePolicy").any(|(_, policy)| lets_events_in(policy)) {
        problems.push(format!("{DATA}: no policy lets EventBridge send to {queue}"));
    }
    for template in templates::all(repository) {
        for (id, rule) in template.of_type("AWS::Events::Rule") {
            for it in rule["Properties"]["Targets"].as_array().into_iter().flatten() {
                for what in ["DeadLetterConfig", "RetryPolicy"] {
                    if it[what].is_null() {
                        problems.push(format!("{}: {id} has no {what}", template.path));
                    }
                }
            }
        }
    }
    problems
}

#[test]
fn the_table_has_the_keys_that_the_code_uses_and_survives_mistakes() {
    let repository = &Repository::committed();
    let template = Template::load(repository, DATA);
    let table = &template.resources()["Table"];
    let keys = |pk: &str, sk: &str| json!([{ "AttributeName": pk, "KeyType": "HASH" }, { "AttributeName": sk, "KeyType": "RANGE" }]);
    let properties = &table["Properties"];
    assert_eq!(properties["KeySchema"], keys("pk", "sk"));
    let indexes: Vec<Value> = ["gsi1", "gsi2"]
        .map(|name| {
            json!({
                "IndexName": name,
                "KeySchema": keys(&format!("{name}pk"), &format!("{name}sk")),
                "Projection": { "ProjectionType": "ALL" },
            })
        })
        .to_vec();
    assert_eq!(properties["GlobalSecondaryIndexes"], Value::Array(indexes));
    assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(properties["StreamSpecification"]["StreamViewType"], "NEW_IMAGE");
    assert_eq!(properties["TimeToLiveSpecification"], json!({ "AttributeName": "expires_at", "Enabled": true }));
    assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(properties["DeletionProtectionEnabled"], true);
    assert_eq!((&table["DeletionPolicy"], &table["UpdateReplacePolicy"]), (&"Retain".into(), &"Retain".into()));
}

#[test]
fn the_bucket_keeps_evidence_as_long_as_it_is_promised_and_hardly_longer() {
    let repository = &Repository::committed();
    let template = Template::load(repository, DATA);
    let rules = &template.resources()["FilesBucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
    let prefix = format!("{EVIDENCE_FOLDER}/");
    let rule = rules.as_array().unwrap().iter().find(|rule| rule["Prefix"] == prefix).unwrap();
    let days = rule["ExpirationInDays"].as_i64().unwrap();
    assert_eq!(rule["Status"], "Enabled");
    assert!((EVIDENCE_KEPT_DAYS..=EVIDENCE_KEPT_DAYS + 1).contains(&days), "{days} days");
}
