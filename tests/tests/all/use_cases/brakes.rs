//! Safe mode and frozen mode: everything is judged and told, and nothing is done.

use app::use_cases::import_workers::{NewImport, import_workers};
use app::use_cases::worker_commands::{start_worker, stop_worker, terminate_worker};
use domain::operation::OperationStatus;
use domain::worker::{DesiredState, WorkerStatus};

use super::world::{World, asked};

/// Every API call that changes something.
const CHANGES: [&str; 8] = [
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
    "CreateTags",
    "DeleteTags",
    "MonitorInstances",
    "UnmonitorInstances",
];

#[tokio::test]
async fn safe_mode_decides_and_records_and_acts_on_nothing() {
    let world = World::with(|settings| settings.safe_mode = true);
    let create = world.create("lab").await;
    assert_eq!(world.failed(create.id).await.0, "safe_mode");

    world.seed("taken over", None, true);
    let import = NewImport { region: "us-east-1".into(), all: true, ..NewImport::default() };
    let import = import_workers(&world.ctx, &asked(), import).await.unwrap();
    let id = world.succeeded(import.id).await.result.unwrap().worker_id.unwrap();
    world.ticks(90).await;
    let reason = world.power_reason(id).await;
    assert!(reason.starts_with("SAFE_MODE is on") && reason.contains("No lab runs"), "{reason}");
    assert_eq!((world.worker(id).await.desired, world.cloud.running().len()), (DesiredState::Running, 1));

    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    let (code, message) = world.failed(stop.id).await;
    assert_eq!(code, "safe_mode");
    assert!(message.contains("Stop was decided and recorded"), "{message}");
    assert_eq!(world.worker(id).await.desired, DesiredState::Stopped);
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    assert_eq!(world.failed(terminate.id).await.0, "safe_mode");
    assert_eq!(world.cloud.running().len(), 1);
    for call in CHANGES {
        assert_eq!(world.calls(call), 0, "{call}");
    }
}

#[tokio::test]
async fn a_fleet_whose_list_is_lost_is_frozen_until_it_is_back() {
    let world = World::new();
    let (kept, busy) = (world.ready_worker("kept").await, world.ready_worker("busy").await);
    let stopped = world.running_worker("stopped").await;
    let stop = stop_worker(&world.ctx, &asked(), stopped, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.table.lose_list(true);
    world.tick().await;
    assert!(world.ctx.store.fleet_state().await.unwrap().frozen_since.is_some());

    let stop = stop_worker(&world.ctx, &asked(), busy, None).await.unwrap();
    let terminate = terminate_worker(&world.ctx, &asked(), stopped).await.unwrap();
    world.ticks(3).await;
    for id in [stop.id, terminate.id] {
        let waiting = world.operation(id).await;
        assert_eq!(waiting.status, OperationStatus::Running);
        assert!(waiting.waiting_for.is_some_and(|what| what.contains("frozen")));
    }
    // Idle shutdown keeps still as well, and says so.
    for _ in 0..100 {
        if world.power_reason(kept).await.starts_with("The fleet is frozen") {
            break;
        }
        world.tick().await;
    }
    let reason = world.power_reason(kept).await;
    assert!(reason.starts_with("The fleet is frozen (the list of workers is empty"), "{reason}");
    assert_eq!(world.worker(kept).await.desired, DesiredState::Running);
    assert_eq!((world.calls("TerminateInstances"), world.cloud.running().len()), (0, 2));

    world.table.lose_list(false);
    world.tick().await;
    assert_eq!(world.ctx.store.fleet_state().await.unwrap().frozen_since, None);
    world.until(kept, |worker| worker.status == WorkerStatus::Stopped).await;
}

#[tokio::test]
async fn a_frozen_fleet_still_starts_and_goes_on_with_what_waited_once_it_is_released() {
    let world = World::new();
    let (stopped, busy) = (world.running_worker("stopped").await, world.running_worker("busy").await);
    let stop = stop_worker(&world.ctx, &asked(), stopped, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.table.lose_list(true);
    world.tick().await;
    let stop = stop_worker(&world.ctx, &asked(), busy, None).await.unwrap();
    let start = start_worker(&world.ctx, &asked(), stopped).await.unwrap();
    world.succeeded(start.id).await;
    assert_eq!(world.instance_states(busy), ["running"]);
    world.table.lose_list(false);
    world.succeeded(stop.id).await;
    assert_eq!(world.instance_states(busy), ["stopped"]);
}

#[tokio::test]
async fn a_frozen_fleet_is_not_released_before_most_of_its_list_is_back() {
    let world = World::new();
    let mut fleet = Vec::new();
    for name in ["a", "b", "c"] {
        fleet.push(world.running_worker(name).await);
    }
    world.ticks(5).await;
    world.table.lose_list(true);
    world.tick().await;
    let since = world.ctx.store.fleet_state().await.unwrap().frozen_since.unwrap();
    let stop = stop_worker(&world.ctx, &asked(), fleet[0], None).await.unwrap();
    // It is in the list again because it was written; a new worker is there, too.
    let new = world.running_worker("new").await;
    world.table.list_has(&[fleet[0], new]);
    world.ticks(10).await;
    let state = world.ctx.store.fleet_state().await.unwrap();
    assert_eq!(state.frozen_since, Some(since));
    let reason = state.frozen_reason.unwrap();
    assert_eq!(reason, "the list of workers has 2 of 4; 4 are enough to go on");
    assert_eq!(world.calls("StopInstances"), 0);
    fleet.push(new);
    world.table.list_has(&fleet);
    world.succeeded(stop.id).await;
    assert_eq!(world.ctx.store.fleet_state().await.unwrap().frozen_since, None);
}

#[tokio::test]
async fn an_empty_fleet_that_never_had_a_worker_is_not_frozen() {
    let world = World::new();
    world.ticks(3).await;
    assert_eq!(world.ctx.store.fleet_state().await.unwrap().frozen_since, None);
}
