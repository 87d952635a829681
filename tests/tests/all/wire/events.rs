//! The bus on ministack: what is published reaches a queue behind a rule, as consumers get it in AWS.

use app::ports::{CloudEvent, Events, Publication, Queue};
use aws::EventBridgeEvents;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::Target;
use serde_json::{Value, json};

use super::ec2::unique;
use super::queues::{self, TestQueue};
use super::set_up;

/// A bus of its own, with a rule that sends what `pattern` selects to the queue.
async fn bus(test: &str, pattern: Value, queue: &TestQueue) -> (Client, String) {
    let (client, name) = (Client::new(&aws::sdk_config_for(&set_up("WIRE_MINISTACK_URL"))), unique(test));
    client.create_event_bus().name(&name).send().await.unwrap();
    let rule = client.put_rule().name(&name).event_bus_name(&name).event_pattern(pattern.to_string());
    rule.send().await.unwrap();
    let target = Target::builder().id("queue").arn(queue.arn().await).build().unwrap();
    let targets = client.put_targets().rule(&name).event_bus_name(&name).targets(target).send().await.unwrap();
    assert_eq!(targets.failed_entry_count(), 0);
    (client, name)
}

fn event(number: u32, kind: &str) -> CloudEvent {
    CloudEvent {
        specversion: "1.0",
        id: format!("wkr-01-{number:012}"),
        source: "cml-cloud-manager",
        kind: kind.into(),
        subject: "wkr-01".into(),
        time: "2026-03-02T09:00:00.250Z".into(),
        sequence: format!("{number:012}"),
        datacontenttype: "application/json",
        data: json!({"actor": {"kind": "aws"}, "change": {"status": "running", "words": "Grüße"}}),
    }
}

#[tokio::test]
async fn events_of_several_batches_reach_the_queue_behind_a_rule_and_others_do_not() {
    let queue = TestQueue::new(Queue::Operations, "events").await;
    let pattern = json!({"source": ["cml-cloud-manager"], "detail-type": ["worker.status_changed"]});
    let (client, bus) = bus("events", pattern, &queue).await;
    let publisher = EventBridgeEvents::new(client, bus, queues::client(), queue.url.clone());
    let mut events: Vec<_> = (1..=12).map(|number| event(number, "worker.status_changed")).collect();
    events.insert(5, event(99, "worker.created"));
    let publications = publisher.publish(&events).await;
    assert_eq!(publications.len(), 13);
    assert!(publications.iter().all(|one| matches!(one, Publication::Published)), "{publications:?}");

    let bodies = queue.take(12).await;
    let mut got: Vec<Value> = bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    got.sort_by_key(|one| one["detail"]["id"].as_str().unwrap().to_owned());
    events.remove(5);
    for (got, sent) in got.iter().zip(&events) {
        assert_eq!(got["detail"], serde_json::to_value(sent).unwrap());
        assert_eq!((&got["source"], &got["detail-type"]), (&json!(sent.source), &json!(sent.kind)));
        // ministack puts its own time there; EventBridge ours, in whole seconds.
        assert_ne!(got["time"], "2026-03-02T09:00:00Z");
    }
    assert!(queue.receive().await.is_empty());
}

#[tokio::test]
async fn what_can_never_be_published_is_kept_in_the_queue_of_dead_letters() {
    let queue = TestQueue::new(Queue::Operations, "set-aside").await;
    let client = Client::new(&aws::sdk_config_for(&set_up("WIRE_MINISTACK_URL")));
    let publisher = EventBridgeEvents::new(client, "no-matter", queues::client(), queue.url.clone());
    publisher.set_aside(&json!({"eventID": "1"}), "it has no kind").await.unwrap();
    let body: Value = serde_json::from_str(&queue.take(1).await[0]).unwrap();
    assert_eq!(body, json!({"schema": 1, "why": "it has no kind", "record": {"eventID": "1"}}));
}
