//! Events that are not requests. Of a batch, a message that cannot be read comes back alone, and holds up no other.

use app::message::{CollectAws, CollectCml, ControlPower, Message, RunOperation};
use app::ports::Queue;
use domain::Place;
use functions::{InvokeError, invoke};
use serde_json::{Value, json};

use super::fixtures::{event, function};
use super::test_api::TestApi;
use super::world::{IMPORT, QUEUED, WORKER, worker_id};

/// Bodies that no version of ours has written.
const POISON: [&str; 6] = [
    "",
    "not json",
    "[]",
    r#"{"schema":1}"#,
    r#"{"schema":1,"worker_id":"x","worker_ids":["x"],"operation_id":"x"}"#,
    "null",
];

/// The function's fixture with these bodies, each in a message of its own id.
fn batch(name: &str, bodies: &[(&str, String)]) -> Value {
    let record = event(name)["Records"][0].clone();
    let records: Vec<_> = bodies
        .iter()
        .map(|(id, body)| {
            let mut record = record.clone();
            record["messageId"] = json!(id);
            record["body"] = json!(body);
            record
        })
        .collect();
    json!({ "Records": records })
}

/// A good message among bad ones: only the bad ones come back.
async fn only_poison_fails(api: &TestApi, name: &str, good: String) {
    let names: Vec<String> = (0..POISON.len()).map(|n| format!("poison-{n}")).collect();
    let mut bodies: Vec<(&str, String)> =
        names.iter().zip(POISON).map(|(name, body)| (name.as_str(), body.to_owned())).collect();
    bodies.insert(2, ("good", good));
    let answer = invoke(function(name), &api.world, batch(name, &bodies)).await.unwrap();
    let mut failed: Vec<_> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, names, "{name}");
}

#[tokio::test]
async fn poison_among_operations_fails_alone() {
    let api = TestApi::new().await;
    for (name, id) in [("run-operation", QUEUED), ("run-import", IMPORT)] {
        only_poison_fails(&api, name, RunOperation { operation_id: id.parse().unwrap() }.body()).await;
        let operation = api.get(&format!("/api/operations/{id}")).as_user().await.json();
        assert_ne!(operation["status"], "queued", "{operation}");
    }
}

#[tokio::test]
async fn poison_among_power_decisions_fails_alone() {
    let api = TestApi::new().await;
    only_poison_fails(&api, "control-power", ControlPower { worker_id: worker_id(WORKER) }.body()).await;
    let power = api.get(&format!("/api/workers/{WORKER}/power")).as_user().await.json();
    assert_eq!(power["decided_at"], "2026-03-02T09:00:00.000Z", "{power}");
}

#[tokio::test]
async fn poison_among_readings_fails_alone() {
    let api = TestApi::new().await;
    let place = Place { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    only_poison_fails(&api, "collect-aws", CollectAws { place, worker_ids: vec![worker_id(WORKER)] }.body()).await;
    only_poison_fails(&api, "collect-cml", CollectCml { worker_ids: vec![worker_id(WORKER)] }.body()).await;
    let metrics = api.get(&format!("/api/workers/{WORKER}")).as_user().await.json()["metrics"].clone();
    assert_eq!(metrics["cloudwatch"]["last_collected_at"], "2026-03-02T09:00:00.000Z", "{metrics}");
    assert_eq!(metrics["cml"]["last_synced_at"], "2026-03-02T09:00:00.000Z", "{metrics}");
}

#[tokio::test]
async fn a_message_about_what_is_not_there_is_done() {
    let api = TestApi::new().await;
    let gone = worker_id("wkr-01kjzzzzzzzzzzzzzzzzzzzzzz");
    let place = Place { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let operation_id = "op-01kjzzzzzzzzzzzzzzzzzzzzzz".parse().unwrap();
    for (name, body) in [
        ("run-operation", RunOperation { operation_id }.body()),
        ("run-import", RunOperation { operation_id }.body()),
        ("control-power", ControlPower { worker_id: gone }.body()),
        ("collect-aws", CollectAws { place, worker_ids: vec![gone] }.body()),
        ("collect-cml", CollectCml { worker_ids: vec![gone] }.body()),
    ] {
        let before = api.items();
        let answer = invoke(function(name), &api.world, batch(name, &[("one", body)])).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
        assert_eq!(api.items(), before, "{name}");
    }
}

#[tokio::test]
async fn a_message_of_a_later_version_is_read_for_what_it_shares_with_ours() {
    let api = TestApi::new().await;
    let later = json!({"schema": 2, "operation_id": QUEUED, "priority": "high"}).to_string();
    let answer = invoke(function("run-operation"), &api.world, batch("run-operation", &[("one", later)])).await;
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
}

#[tokio::test]
async fn an_event_of_another_trigger_fails_the_invocation_and_writes_nothing() {
    let api = TestApi::new().await;
    let before = api.items();
    let foreign = json!({"detail-type": "something else", "detail": {}});
    for name in [
        "run-operation",
        "run-import",
        "control-power",
        "collect-aws",
        "collect-cml",
        "record-instance-state",
        "get-worker",
    ] {
        for event in [foreign.clone(), json!(null), json!([]), json!("text"), json!({"Records": [7]})] {
            let outcome = invoke(function(name), &api.world, event.clone()).await;
            assert!(
                matches!(outcome, Err(InvokeError::Event(_) | InvokeError::Malformed(_))),
                "{name}: {event}: {outcome:?}"
            );
        }
    }
    for (field, value) in
        [("account", json!("12")), ("region", json!("mars")), ("detail", json!({"instance-id": "i-"}))]
    {
        let mut notification = event("record-instance-state");
        notification[field] = value;
        let outcome = invoke(function("record-instance-state"), &api.world, notification).await;
        assert!(matches!(outcome, Err(InvokeError::Malformed(_))), "{field}: {outcome:?}");
    }
    assert_eq!(api.items(), before);
    assert!(api.queues.to(Queue::Operations).is_empty());
}

#[tokio::test]
async fn a_state_change_is_looked_up_and_not_believed() {
    let api = TestApi::new().await;
    let notification = event("record-instance-state");
    let status = async || {
        let outcome = invoke(function("record-instance-state"), &api.world, notification.clone()).await;
        assert_eq!(outcome.unwrap(), Value::Null);
        api.get(&format!("/api/workers/{WORKER}")).as_user().await.json()["status"].clone()
    };
    assert_eq!(notification["detail"]["state"], "stopping");
    assert_eq!(status().await, "running", "EC2 shows that it runs");
    api.cloud.stop_by_hand(notification["detail"]["instance-id"].as_str().unwrap()).unwrap();
    assert_eq!(status().await, "stopping");
    assert!(!api.queues.to(Queue::Power).is_empty(), "its power is judged soon");
}
