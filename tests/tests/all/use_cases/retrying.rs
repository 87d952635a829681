//! What EC2 refuses: tried again, given up, or expired, and said in EC2's own words.

use app::use_cases::worker_commands::start_worker;
use domain::operation::OperationStatus;
use domain::worker::WorkerStatus;
use domain::{OperationId, Timestamp};

use super::world::{World, asked};

/// When the operation is due next, if it is.
fn due_at(world: &World, id: OperationId) -> Option<Timestamp> {
    let items = world.table.memory.items();
    let due = items.iter().find(|item| item.pk == format!("OP#{id}") && item.sk == "DUE#operation")?;
    Some(due.attributes["due_at"].as_str()?.parse().unwrap())
}

#[tokio::test]
async fn throttling_and_missing_capacity_are_tried_again_after_growing_waits_until_they_succeed() {
    for (code, first) in [("RequestLimitExceeded", 5), ("InsufficientInstanceCapacity", 60)] {
        let world = World::new();
        world.fault("RunInstances", code, 3);
        let operation = world.create("lab").await;
        world.queue.take();
        let mut waits = Vec::new();
        for attempt in 1..=3 {
            world.run(operation.id).await.unwrap();
            let waiting = world.operation(operation.id).await;
            assert_eq!((waiting.status, waiting.attempts), (OperationStatus::Running, attempt));
            assert!(waiting.waiting_for.is_some_and(|what| what.contains(code)));
            let wait = due_at(&world, operation.id).unwrap().duration_since(world.now()).as_secs();
            world.pass(wait);
            waits.push(wait);
        }
        assert!(waits[0] >= first && waits.is_sorted_by(|a, b| a < b), "{code}: {waits:?}");
        world.succeeded(operation.id).await;
        assert_eq!(world.instance_states(operation.target.unwrap()), ["running"]);
        assert_eq!(due_at(&world, operation.id), None);
    }
}

#[tokio::test]
async fn a_waiting_operation_is_not_sent_before_it_is_due() {
    let world = World::new();
    world.fault("RunInstances", "InsufficientInstanceCapacity", 1_000);
    world.create("lab").await;
    world.ticks(30).await;
    // After 1, 2, 4, 8 minutes, each with its spread, then after ten.
    assert!((4..=6).contains(&world.calls("RunInstances")), "{}", world.calls("RunInstances"));
}

#[tokio::test]
async fn a_terminal_refusal_fails_at_once_in_ec2s_words_and_a_later_start_is_another_launch() {
    let world = World::new();
    world.fault("RunInstances", "UnauthorizedOperation", 1);
    let operation = world.create("lab").await;
    world.deliver().await;
    let words = "You are not authorized to perform this operation.";
    assert_eq!(world.failed(operation.id).await, ("UnauthorizedOperation".to_owned(), words.to_owned()));
    assert_eq!(world.operation(operation.id).await.attempts, 1);
    let id = operation.target.unwrap();
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.launch_number), (WorkerStatus::Failed, 1));
    assert_eq!(worker.status_detail, Some(format!("UnauthorizedOperation: {words}")));
    assert!(worker.state_reason.contains(words), "{}", worker.state_reason);

    // Nobody tries again of their own accord.
    world.ticks(10).await;
    assert_eq!(world.calls("RunInstances"), 1);

    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.launch_number), (WorkerStatus::Running, 2));
    assert_eq!(worker.state_reason, "Started by alice.");
    assert_eq!(world.instance_states(id), ["running"]);
}

#[tokio::test]
async fn an_operation_that_expires_says_what_it_waited_for() {
    let world = World::new();
    world.fault("RunInstances", "InsufficientInstanceCapacity", 1_000);
    let operation = world.create("lab").await;
    let ended = world.ended(operation.id).await;
    assert_eq!(ended.status, OperationStatus::Expired);
    assert!(ended.finished_at.unwrap().duration_since(ended.expires_at).as_secs() <= 60);
    let error = ended.error.unwrap();
    assert_eq!(error.code, "deadline_exceeded");
    assert!(error.message.contains("EC2 to accept RunInstances (InsufficientInstanceCapacity"), "{}", error.message);
}
