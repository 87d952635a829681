//! The table, the queues and the rules.

use std::collections::BTreeSet;

use app::ports::Queue;
use http_api::{FUNCTIONS, Trigger};
use serde_json::{Value, json};

use super::functions::pascal;
use super::none;
use super::templates::{self, Template, target};

const DATA: &str = "infra/data.yaml";

#[test]
fn every_queue_of_the_product_is_deployed_and_no_other() {
    let template = Template::load(DATA);
    let deployed: BTreeSet<String> =
        template.of_type("AWS::SQS::Queue").filter(|(id, _)| id.ends_with("Queue")).map(|(id, _)| id.clone()).collect();
    let wanted: BTreeSet<String> = Queue::ALL.iter().map(|queue| format!("{}Queue", pascal(queue.name()))).collect();
    assert_eq!(deployed, wanted);
    for queue in Queue::ALL {
        let properties = &template.resources()[&format!("{}Queue", pascal(queue.name()))]["Properties"];
        let suffix = if queue.is_fifo() { ".fifo" } else { "" };
        let name = format!("${{Prefix}}-{}{suffix}", queue.name());
        assert_eq!(properties["QueueName"]["Fn::Sub"], name.as_str());
        assert_eq!(properties["FifoQueue"] == true, queue.is_fifo(), "{name}");
        assert_eq!(properties["SqsManagedSseEnabled"], true, "{name}");
    }
}

#[test]
fn every_queue_gives_up_to_dead_letters_with_an_alarm() {
    let mut problems = Vec::new();
    for template in templates::all() {
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
    none(&problems);
}

#[test]
fn a_message_stays_invisible_for_six_times_its_consumers_time() {
    let template = Template::load(DATA);
    let deployed = templates::functions();
    let mut problems = Vec::new();
    for function in FUNCTIONS {
        let Trigger::Queue { queue, .. } = function.trigger else { continue };
        let id = format!("{}Queue", pascal(queue.name()));
        let visibility = template.resources()[&id]["Properties"]["VisibilityTimeout"].as_u64().unwrap_or_default();
        let timeout = deployed[function.name].properties["Timeout"].as_u64().unwrap_or(u64::MAX / 6);
        if visibility < 6 * timeout {
            problems.push(format!("{id}: visibility {visibility} s is less than 6 x {timeout} s of {}", function.name));
        }
    }
    none(&problems);
}

#[test]
fn every_rule_tries_again_and_keeps_what_it_could_not_deliver() {
    let mut problems = Vec::new();
    for template in templates::all() {
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
    none(&problems);
}

#[test]
fn the_table_has_the_keys_that_the_code_uses_and_survives_mistakes() {
    let template = Template::load(DATA);
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
