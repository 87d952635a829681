//! Batches of the table's stream.

use functions::{InvokeError, invoke};
use serde_json::{Value, json};

use super::fixtures::{event, function};
use super::world::TestWorld;

async fn publish(world: &TestWorld, event: Value) -> Result<Value, InvokeError> {
    invoke(function("publish-events"), &world.world, event).await
}

fn types(world: &TestWorld) -> Vec<String> {
    world.bus.published().into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_batch_is_published_and_done() {
    let world = TestWorld::new(|_| {}).await;
    assert_eq!(publish(&world, event("publish-events")).await.unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(types(&world), ["worker.desired_changed", "worker.status_changed"]);
    let data = json!({
        "actor": { "kind": "user", "subject": "8d5f3f0e-2c1b-4a57-9e66-0a4d1c7b9f21", "name": "ada" },
        "change": { "from": "stopped", "to": "running", "reason": "Started by ada." },
    });
    assert_eq!(world.bus.published()[0].data, data);
}

#[tokio::test]
async fn the_answer_names_the_first_record_that_failed() {
    let world = TestWorld::new(|_| {}).await;
    world.bus.fail(&[8]);
    let answer = publish(&world, event("publish-events")).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "700000000000000000002" }] }));
    assert_eq!(types(&world), ["worker.desired_changed"]);
}

#[tokio::test]
async fn a_torn_record_is_set_aside_and_what_is_no_new_event_is_left_alone() {
    let world = TestWorld::new(|_| {}).await;
    let mut batch = event("publish-events");
    let good = batch["Records"][1].clone();
    for (field, torn) in
        [("/dynamodb/NewImage/sequence", json!({ "N": "many" })), ("/dynamodb/NewImage", json!({ "a": { "X": 1 } }))]
    {
        let mut record = good.clone();
        *record.pointer_mut(field).unwrap() = torn;
        batch["Records"].as_array_mut().unwrap().push(record);
    }
    let mut keyless = good.clone();
    keyless["dynamodb"] = json!({ "SequenceNumber": "9" });
    let (mut removed, mut worker) = (good.clone(), good.clone());
    removed["eventName"] = json!("REMOVE");
    worker["dynamodb"]["Keys"]["sk"] = json!({ "S": "WORKER" });
    batch["Records"].as_array_mut().unwrap().extend([keyless, removed, worker, good]);
    assert_eq!(publish(&world, batch).await.unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(world.bus.set_aside().len(), 3);
    assert_eq!(types(&world), ["worker.desired_changed", "worker.status_changed", "worker.status_changed"]);
}

#[tokio::test]
async fn what_is_no_batch_of_a_stream_fails_the_invocation() {
    let world = TestWorld::new(|_| {}).await;
    for event in [json!(null), json!({}), json!({ "Records": [7] }), event("run-operation")] {
        let outcome = publish(&world, event.clone()).await;
        assert!(matches!(outcome, Err(InvokeError::Malformed(_))), "{event}: {outcome:?}");
    }
    assert!(world.bus.published().is_empty() && world.bus.set_aside().is_empty());
}
