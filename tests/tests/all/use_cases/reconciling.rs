//! What is wanted is kept true: by one action for one cause, with its reason, and never against a person's hand.

use app::Settings;
use app::use_cases::control_power::Judgement;
use app::use_cases::import_workers::{NewImport, import_workers};
use app::use_cases::update_worker::update_worker;
use app::use_cases::worker_commands::{start_worker, stop_worker, terminate_worker};
use domain::decision::Action;
use domain::drift::DriftKind;
use domain::operation::{Operation, OperationStatus, Task};
use domain::reconcile::{ConditionKind, ReconcileRecord};
use domain::worker::WorkerStatus;
use domain::worker::command::Update;
use domain::{Actor, SignedDuration, WorkerId};

use super::world::{World, alice, asked};

/// Minutes in which the sweep has looked at every worker once.
pub(super) const SWEEP: u32 = 6;

/// A world in which what people do by hand is left for two hours.
fn impatient() -> World {
    World::with(|settings: &mut Settings| settings.reconcile.manual_change_hold = SignedDuration::from_hours(2))
}

pub(super) async fn action(world: &World, id: WorkerId) -> Action {
    world.ctx.store.power(id).await.unwrap().unwrap().decided.unwrap().1.action
}

pub(super) async fn record(world: &World, id: WorkerId) -> ReconcileRecord {
    world.ctx.store.power(id).await.unwrap().unwrap().record
}

/// What the reconciler began, oldest first.
pub(super) async fn begun(world: &World, id: WorkerId) -> Vec<Operation> {
    let mut all = world.ctx.store.list_operations(Some(id), 100, None).await.unwrap().items;
    all.retain(|operation| operation.requested_by == Actor::reconciler());
    all.reverse();
    all
}

async fn is_due(world: &World, id: WorkerId) {
    let due = app::store::PowerDue::hurried(id, world.ctx.store.power(id).await.unwrap(), world.now());
    world.ctx.store.save_power(&due).await.unwrap();
}

pub(super) async fn no_idle_shutdown(world: &World, id: WorkerId) {
    let off = Update { idle_enabled: Some(false), ..Update::default() };
    update_worker(&world.ctx, &asked(), id, off).await.unwrap();
}

/// The kinds of its events, with their data.
pub(super) async fn events(world: &World, id: WorkerId, kind: &str) -> Vec<serde_json::Value> {
    let all = world.ctx.store.worker_events(id, 200, None).await.unwrap().items;
    all.into_iter().filter(|event| event.kind == kind).map(|event| event.data).collect()
}

#[tokio::test]
async fn ten_ticks_within_grace_launch_once_by_what_the_store_says() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.deliver_events().await;
    for _ in 0..10 {
        world.pass(60);
        is_due(&world, id).await;
        Judgement::look(&world.ctx, world.ports(), &[id]).await.unwrap().judge(id).await.unwrap();
        // What is begun is lost on its way, and nobody works on it.
        world.queue.take();
    }
    let begun = begun(&world, id).await;
    assert_eq!((begun.len(), begun[0].status), (1, OperationStatus::Queued));
    let last = record(&world, id).await.last_action.unwrap();
    assert_eq!((last.action, last.operation), (Action::Relaunch, Some(begun[0].id)));
    world.until(id, |worker| worker.status == WorkerStatus::Running).await;
    assert_eq!(world.calls("RunInstances"), 2);
}

#[tokio::test]
async fn what_is_stopped_by_hand_is_respected_and_explained_and_started_when_the_hold_is_over() {
    let world = impatient();
    let id = world.ready_worker("lab").await;
    world.cloud.stop_by_hand(&world.instance(id).await).unwrap();
    let stopped = world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    world.ticks(60).await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Stopped);
    assert_eq!(stopped.departure.map(|departure| departure.kind), Some(DriftKind::StoppedByHand));
    let standing = world.ctx.store.power(id).await.unwrap().unwrap();
    let (_, decision) = standing.decided.unwrap();
    assert_eq!((decision.action, decision.next_action), (Action::Wait, Some(Action::Start)));
    assert!(decision.reason.contains("was stopped outside CML Cloud Manager"), "{}", decision.reason);
    assert!(decision.reason.contains("is left so until"), "{}", decision.reason);
    assert_eq!(decision.next_action_at, Some(stopped.departure.unwrap().at + SignedDuration::from_hours(2)));
    assert_eq!(standing.record.drift[0].kind, DriftKind::StoppedByHand);
    assert_eq!(world.calls("StartInstances"), 0);
    let started = world.until(id, |worker| worker.status == WorkerStatus::Running).await;
    assert!(world.now() >= decision.next_action_at.unwrap());
    assert!(started.state_reason.contains("and was left so for 2 hours."), "{}", started.state_reason);
    assert_eq!((started.departure, world.calls("StartInstances")), (None, 1));
}

#[tokio::test]
async fn a_start_of_ours_before_anybody_saw_the_stop_by_hand_is_not_taken_for_one_from_outside() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    no_idle_shutdown(&world, id).await;
    world.cloud.stop_by_hand(&world.instance(id).await).unwrap();
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.run(start.id).await.unwrap();
    assert_eq!(world.worker(id).await.departure.map(|one| one.kind), Some(DriftKind::StoppedByHand));
    world.succeeded(start.id).await;
    let up = world.until(id, |worker| worker.status == WorkerStatus::Running).await;
    assert_eq!(up.state_reason, "The instance was started again.");
    assert_eq!(world.calls("StartInstances"), 1);
    let changes = events(&world, id, "worker.status_changed").await;
    assert!(!changes.iter().any(|change| change.to_string().contains("started outside")), "{changes:?}");
}

#[tokio::test]
async fn what_is_stopped_by_hand_while_the_reconciler_starts_it_is_left_so() {
    let world = impatient();
    let id = world.ready_worker("lab").await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.until(id, |worker| worker.status == WorkerStatus::Provisioning).await;
    let instance = world.instance(id).await;
    let starting = begun(&world, id).await.remove(0);
    // It runs, and before the operation has seen that somebody stops it.
    for _ in 0..60 {
        world.pass(30);
        if world.cloud.stop_by_hand(&instance).is_ok() {
            break;
        }
    }
    world.ticks(20).await;
    assert!(world.operation(starting.id).await.status.is_final());
    assert_eq!((world.worker(id).await.status, world.calls("StartInstances")), (WorkerStatus::Stopped, 0));
    assert_eq!(action(&world, id).await, Action::Wait);
}

#[tokio::test]
async fn what_is_started_by_hand_is_respected_and_stopped_when_the_hold_is_over() {
    let world = impatient();
    let id = world.ready_worker("lab").await;
    no_idle_shutdown(&world, id).await;
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.pass(3600);
    world.cloud.start_by_hand(&world.instance(id).await).unwrap();
    world.until(id, |worker| worker.status == WorkerStatus::Running).await;
    world.ticks(60).await;
    let reason = world.power_reason(id).await;
    assert!(
        reason.contains("was started outside CML Cloud Manager") && reason.contains("is left so until"),
        "{reason}"
    );
    assert_eq!((world.calls("StopInstances"), world.worker(id).await.status), (1, WorkerStatus::Running));
    let stopped = world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    assert!(stopped.state_reason.starts_with("Stopped by the reconciler: It was started"), "{}", stopped.state_reason);
    assert_eq!(world.calls("StopInstances"), 2);
}

#[tokio::test]
async fn what_fails_again_and_again_is_given_up_and_begins_anew_with_the_next_wish() {
    let world = World::with(|settings| settings.reconcile.attempts_max = 3);
    world.fault("RunInstances", "InternalError", 100_000);
    let create = world.create("lab").await;
    let id = create.target.unwrap();
    assert_eq!(world.ended(create.id).await.status, OperationStatus::Expired);
    for _ in 0..300 {
        world.tick().await;
        if action(&world, id).await == Action::GiveUp {
            break;
        }
    }
    let tried = begun(&world, id).await;
    assert_eq!((tried.len(), record(&world, id).await.attempts), (3, 3));
    assert!(tried.iter().all(|one| one.task == Task::StartWorker && one.status == OperationStatus::Expired));
    // The first two came at once, the third a minute later.
    let pauses: Vec<i64> = std::iter::once(&world.operation(create.id).await)
        .chain(&tried)
        .zip(&tried)
        .map(|(before, next)| next.requested_at.duration_since(before.finished_at.unwrap()).as_mins())
        .collect();
    assert!(pauses[2] >= 1 && pauses.iter().all(|minutes| *minutes <= 10), "{pauses:?}");
    let worker = world.worker(id).await;
    assert!(
        worker.state_reason.contains("3 attempts failed. The last one: deadline_exceeded"),
        "{}",
        worker.state_reason
    );
    let calls = world.calls("RunInstances");
    world.ticks(120).await;
    assert_eq!(world.calls("RunInstances"), calls);

    start_worker(&world.ctx, &asked(), id).await.unwrap();
    assert_eq!(record(&world, id).await.attempts, 0);
    world.tick().await;
    assert!(world.calls("RunInstances") > calls);
}

#[tokio::test]
async fn what_ec2_refuses_for_good_is_given_up_at_once() {
    let world = World::new();
    world.fault("RunInstances", "UnauthorizedOperation", 1);
    let create = world.create("lab").await;
    world.ended(create.id).await;
    world.ticks(60).await;
    let id = create.target.unwrap();
    assert_eq!((action(&world, id).await, begun(&world, id).await.len()), (Action::GiveUp, 0));
    assert_eq!(world.calls("RunInstances"), 1);
    assert_eq!(record(&world, id).await.last_failure.unwrap().code, "UnauthorizedOperation");
}

#[tokio::test]
async fn two_overlapping_ticks_begin_one_action() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.deliver_events().await;
    // It may have been judged in this very moment.
    world.pass(1);
    is_due(&world, id).await;
    let first = Judgement::look(&world.ctx, world.ports(), &[id]).await.unwrap();
    let second = Judgement::look(&world.ctx, world.ports(), &[id]).await.unwrap();
    let (one, other) = futures::join!(first.judge(id), second.judge(id));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(begun(&world, id).await.len(), 1);
    assert_eq!(record(&world, id).await.attempts, 1, "the judgement that acted stands");
    world.until(id, |worker| worker.status == WorkerStatus::Running).await;
    assert_eq!(world.calls("RunInstances"), 2);
}

#[tokio::test]
async fn a_wish_that_changes_while_it_is_judged_wins() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.deliver_events().await;
    // It may have been judged in this very moment.
    world.pass(1);
    is_due(&world, id).await;
    let judgement = Judgement::look(&world.ctx, world.ports(), &[id]).await.unwrap();
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    judgement.judge(id).await.unwrap();
    assert_eq!(begun(&world, id).await, []);
    let last = record(&world, id).await.last_action.unwrap();
    assert_eq!(last.operation, Some(terminate.id), "what was asked for meanwhile is awaited");
    world.succeeded(terminate.id).await;
    assert_eq!((world.worker(id).await.status, world.calls("RunInstances")), (WorkerStatus::Terminated, 1));
}

#[tokio::test]
async fn safe_mode_decides_a_launch_and_records_it_and_does_nothing() {
    let world = World::with(|settings| settings.safe_mode = true);
    let instance = world.seed("taken over", None, true);
    let import = NewImport { region: "us-east-1".into(), all: true, ..NewImport::default() };
    let import = import_workers(&world.ctx, &asked(), import).await.unwrap();
    let id = world.succeeded(import.id).await.result.unwrap().worker_id.unwrap();
    world.cloud.kill(&instance).unwrap();
    world.ticks(30).await;
    let reason = world.power_reason(id).await;
    assert!(reason.starts_with("SAFE_MODE is on, so nothing is done. It was lost to its host"), "{reason}");
    assert_eq!((world.calls("RunInstances"), begun(&world, id).await.len()), (0, 0));
}

#[tokio::test]
async fn a_frozen_fleet_brings_back_what_is_lost_and_stops_nothing() {
    let world = impatient();
    let (lost, by_hand) = (world.ready_worker("lost").await, world.running_worker("by hand").await);
    no_idle_shutdown(&world, by_hand).await;
    no_idle_shutdown(&world, lost).await;
    let stop = stop_worker(&world.ctx, &asked(), by_hand, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.pass(3600);
    world.cloud.start_by_hand(&world.instance(by_hand).await).unwrap();
    world.until(by_hand, |worker| worker.status == WorkerStatus::Running).await;
    world.table.lose_list(true);
    world.cloud.kill(&world.instance(lost).await).unwrap();
    world.until(lost, |worker| worker.status == WorkerStatus::Running && worker.launch_number == 2).await;
    world.ticks(130).await;
    let reason = world.power_reason(by_hand).await;
    assert!(reason.starts_with("The fleet is frozen"), "{reason}");
    assert_eq!((world.calls("StopInstances"), world.instance_states(by_hand)), (1, vec!["running".to_owned()]));
    world.table.lose_list(false);
    world.until(by_hand, |worker| worker.status == WorkerStatus::Stopped).await;
}

#[tokio::test]
async fn conditions_tell_how_far_a_worker_has_come_and_since_when() {
    let world = World::new();
    let create = world.create("lab").await;
    let id = create.target.unwrap();
    world.tick().await;
    let holds = |record: &ReconcileRecord, kind| {
        record.conditions.iter().find(|condition| condition.kind == kind).map(|condition| condition.holds)
    };
    let booting = record(&world, id).await;
    assert_eq!(holds(&booting, ConditionKind::Ready), Some(false));
    world.succeeded(create.id).await;
    world.ticks(15).await;
    let ready = record(&world, id).await;
    for kind in [ConditionKind::Launched, ConditionKind::Registered, ConditionKind::Ready] {
        assert_eq!(holds(&ready, kind), Some(true), "{kind:?}");
    }
    assert_eq!(holds(&ready, ConditionKind::Drifted), Some(false));
    assert!(ready.conditions.iter().all(|condition| condition.since <= world.now()));
}

#[tokio::test]
async fn the_reconciler_is_the_actor_of_what_it_does() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.until(id, |worker| worker.launch_number == 2).await;
    let all = world.ctx.store.worker_events(id, 200, None).await.unwrap().items;
    let reconciled = all.iter().find(|event| event.kind == "worker.reconciled").unwrap();
    assert_eq!((&reconciled.actor, &reconciled.data["action"]), (&Actor::reconciler(), &"relaunch".into()));
    assert!(all.iter().any(|event| event.actor == alice()));
}
