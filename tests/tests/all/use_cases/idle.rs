//! Idle shutdown: what is in use, or of which nobody knows, is left running.

use app::use_cases::lab_commands::act_on_lab;
use app::use_cases::update_worker::update_worker;
use app::use_cases::worker_commands::{set_monitoring, start_worker, stop_worker};
use domain::activity::Activity;
use domain::lab::{Lab, LabAction};
use domain::session::Person;
use domain::worker::command::Update;
use domain::worker::{DesiredState, WorkerStatus};
use domain::{Role, SignedDuration, Timestamp, WorkerId};

use super::world::{World, asked};

pub(super) fn lab(worker_id: WorkerId, now: Timestamp) -> Lab {
    Lab {
        id: "lab-1".parse().unwrap(),
        worker_id,
        title: "Lab".into(),
        description: None,
        notes: None,
        state: None,
        owner: None,
        owner_username: None,
        node_count: Some(1),
        link_count: None,
        created_at: None,
        modified_at: None,
        synced_at: now,
        missing_since: None,
    }
}

/// Longer than the timeout of an hour.
const LONG: u32 = 90;

#[tokio::test]
async fn a_worker_whose_nodes_run_is_never_idle_and_counts_from_their_end() {
    let world = World::new();
    world.cml.set(|says| says.running_nodes = Some(2));
    let id = world.ready_worker("lab").await;
    world.ticks(LONG).await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Running);
    assert_eq!(world.power_reason(id).await, "In use: 2 nodes run.");
    world.cml.set(|says| says.running_nodes = Some(0));
    world.ticks(50).await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Running);
    let worker = world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    assert!(worker.state_reason.contains("nodes last ran"), "{}", worker.state_reason);
}

#[tokio::test]
async fn a_worker_that_a_person_uses_is_never_idle() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    for _ in 0..4 {
        world.ticks(40).await;
        world.cml.activity("user_activity", world.now());
    }
    assert_eq!(world.worker(id).await.desired, DesiredState::Running);
    let worker = world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    assert!(worker.state_reason.contains("last user_activity"), "{}", worker.state_reason);
}

#[tokio::test]
async fn a_worker_that_a_person_uses_through_us_is_never_idle() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let lab = lab(id, world.now());
    world.ctx.store.save_lab(&lab).await.unwrap();
    let manager = Person { subject: "manager-1".into(), username: "manager".into(), role: Role::Manager };
    act_on_lab(&world.ctx, &asked(), &manager, id, &lab.id, LabAction::Start).await.unwrap();
    world.ticks(LONG).await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Running);
    assert_eq!(world.power_reason(id).await, "In use: start_lab is under way.");
}

#[tokio::test]
async fn who_starts_what_runs_already_puts_its_stop_off() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    for _ in 0..3 {
        world.ticks(50).await;
        start_worker(&world.ctx, &asked(), id).await.unwrap();
    }
    assert_eq!(world.worker(id).await.desired, DesiredState::Running);
    let worker = world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    assert!(worker.state_reason.contains("last start_worker here"), "{}", worker.state_reason);
}

#[tokio::test]
async fn what_somebody_works_at_is_not_hidden_by_any_number_of_other_operations() {
    let world = World::new();
    let (started, busy) = (world.ready_worker("started").await, world.ready_worker("busy").await);
    let lab = lab(busy, world.now());
    world.ctx.store.save_lab(&lab).await.unwrap();
    let manager = Person { subject: "manager-1".into(), username: "manager".into(), role: Role::Manager };
    world.ticks(50).await;
    start_worker(&world.ctx, &asked(), started).await.unwrap();
    act_on_lab(&world.ctx, &asked(), &manager, busy, &lab.id, LabAction::Start).await.unwrap();
    for enabled in [true, false].into_iter().cycle().take(130) {
        set_monitoring(&world.ctx, &asked(), started, enabled).await.unwrap();
        set_monitoring(&world.ctx, &asked(), busy, enabled).await.unwrap();
    }
    world.ticks(40).await;
    for id in [started, busy] {
        assert_eq!(world.worker(id).await.desired, DesiredState::Running, "{}", world.power_reason(id).await);
    }
    assert!(world.power_reason(started).await.contains("last start_worker here"));
    assert_eq!(world.power_reason(busy).await, "In use: start_lab is under way.");
}

#[tokio::test]
async fn what_a_machine_does_keeps_nothing_up() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    for _ in 0..8 {
        world.ticks(10).await;
        world.cml.activity("system_stats", world.now());
    }
    assert_eq!(world.worker(id).await.desired, DesiredState::Stopped);
}

#[tokio::test]
async fn a_worker_whose_controller_cannot_be_read_is_never_idle() {
    for what in ["nothing answers", "nobody can sign in", "the feed cannot be read", "nodes are not told"] {
        let world = World::new();
        let id = world.ready_worker("lab").await;
        world.cml.set(|says| match what {
            "nothing answers" => says.reachable = false,
            "nobody can sign in" => says.denies = true,
            "the feed cannot be read" => says.telemetry = None,
            _ => says.running_nodes = None,
        });
        world.ticks(LONG).await;
        assert_eq!(world.worker(id).await.desired, DesiredState::Running, "{what}");
        let reason = world.power_reason(id).await;
        assert!(reason.contains("not known") || reason.contains("does not say"), "{what}: {reason}");
    }
}

#[tokio::test]
async fn a_worker_started_again_is_judged_by_this_run_and_not_by_the_last() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    world.ticks(LONG).await;
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    let since = world.worker(id).await.running_since.unwrap();
    let stopped = world.until(id, |worker| worker.desired == DesiredState::Stopped).await;
    assert!(stopped.updated_at.duration_since(since) >= SignedDuration::from_mins(60));
}

#[tokio::test]
async fn the_use_of_a_lost_machine_is_not_told_of_the_one_launched_after_it() {
    let world = World::new();
    world.cml.set(|says| says.running_nodes = Some(2));
    let id = world.ready_worker("lab").await;
    world.ticks(20).await;
    world.cml.activity("start_lab", world.now());
    world.ticks(10).await;
    let activity = world.ctx.store.telemetry(id).await.unwrap().cml.activity;
    assert!(activity.nodes_ran_at.is_some() && activity.person_at.is_some() && activity.high_water.is_some());
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.cml.set(|says| (says.running_nodes, says.telemetry) = (Some(0), Some(vec![])));
    world.until(id, |worker| worker.status == WorkerStatus::Running && worker.launch_number == 2).await;
    world.ticks(20).await;
    assert_eq!(world.ctx.store.telemetry(id).await.unwrap().cml.activity, Activity::default());
    let reason = world.power_reason(id).await;
    assert!(reason.contains("(its start)"), "{reason}");
}

#[tokio::test]
async fn nodes_that_ended_with_a_stop_did_not_run_in_the_run_after_it() {
    let world = World::new();
    world.cml.set(|says| says.running_nodes = Some(2));
    let id = world.ready_worker("lab").await;
    world.ticks(20).await;
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.cml.set(|says| says.running_nodes = Some(0));
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    world.ticks(20).await;
    let reason = world.power_reason(id).await;
    assert!(reason.contains("(its start)"), "{reason}");
}

#[tokio::test]
async fn a_worker_can_have_its_own_timeout_or_none() {
    let world = World::new();
    let (short, never) = (world.ready_worker("short").await, world.ready_worker("never").await);
    let shorter = Update { idle_timeout_minutes: Some(Some(20)), ..Update::default() };
    update_worker(&world.ctx, &asked(), short, shorter).await.unwrap();
    let off = Update { idle_enabled: Some(false), ..Update::default() };
    update_worker(&world.ctx, &asked(), never, off).await.unwrap();
    let since = world.worker(short).await.running_since.unwrap();
    let stopped = world.until(short, |worker| worker.desired == DesiredState::Stopped).await;
    assert!(stopped.updated_at.duration_since(since) < SignedDuration::from_mins(30));
    world.ticks(LONG).await;
    assert_eq!(world.worker(never).await.status, WorkerStatus::Running);
    assert_eq!(world.power_reason(never).await, "Idle shutdown is switched off for this worker.");
}
