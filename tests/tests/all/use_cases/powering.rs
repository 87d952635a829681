//! Start, stop and terminate: done when EC2 shows it.

use app::AppError;
use app::use_cases::command::Asked;
use app::use_cases::worker_commands::{start_worker, stop_worker, terminate_worker};
use domain::lab::Lab;
use domain::operation::OperationStatus;
use domain::worker::{DesiredState, WorkerStatus};
use domain::{Timestamp, WorkerId};

use super::world::{World, asked};

fn lab_of(worker_id: WorkerId, synced_at: Timestamp) -> Lab {
    Lab {
        id: "lab-0".parse().unwrap(),
        worker_id,
        title: "BGP basics".into(),
        description: None,
        notes: None,
        state: None,
        owner: None,
        owner_username: None,
        node_count: None,
        link_count: None,
        created_at: None,
        modified_at: None,
        synced_at,
        missing_since: None,
    }
}

#[tokio::test]
async fn stop_start_and_terminate_end_when_ec2_shows_it_and_not_when_it_accepts_it() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let stop = stop_worker(&world.ctx, &asked(), id, Some("weekend")).await.unwrap();
    world.deliver().await;
    assert_eq!(world.operation(stop.id).await.status, OperationStatus::Running);
    assert_eq!(world.instance_states(id), ["stopping"]);
    world.succeeded(stop.id).await;
    assert_eq!(world.instance_states(id), ["stopped"]);
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.state_reason.as_str()), (WorkerStatus::Stopped, "Stopped by alice: weekend"));

    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.deliver().await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Starting);
    world.succeeded(start.id).await;
    assert_eq!(world.instance_states(id), ["running"]);
    assert_eq!(world.worker(id).await.status, WorkerStatus::Running);

    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    world.deliver().await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Terminating);
    world.succeeded(terminate.id).await;
    assert_eq!(world.instance_states(id), ["terminated"]);
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.desired), (WorkerStatus::Terminated, DesiredState::Terminated));
    assert_eq!(worker.state_reason, "Terminated by alice.");

    let again = start_worker(&world.ctx, &asked(), id).await;
    assert!(matches!(again, Err(AppError::Conflict(_))), "{again:?}");
}

#[tokio::test]
async fn the_labs_of_a_terminated_worker_go_with_it() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    for n in 0..120 {
        let lab = Lab { id: format!("lab-{n:03}").parse().unwrap(), ..lab_of(id, world.now()) };
        world.ctx.store.save_lab(&lab).await.unwrap();
    }
    let labs = async || world.ctx.store.all_worker_labs(id).await.unwrap().len();
    world.ticks(2).await;
    assert_eq!(labs().await, 120);
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(terminate.id).await;
    // At the last judgement of the worker, whenever that is due.
    for _ in 0..60 {
        if labs().await == 0 {
            return;
        }
        world.tick().await;
    }
    panic!("{} labs are left", labs().await);
}

#[tokio::test]
async fn a_start_that_is_overtaken_by_a_stop_gives_way_to_it() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.deliver().await;
    let stop = stop_worker(&world.ctx, &asked(), id, Some("never mind")).await.unwrap();
    let (code, message) = world.failed(start.id).await;
    assert_eq!(code, "superseded");
    assert!(message.contains("never mind"), "{message}");
    world.succeeded(stop.id).await;
    assert_eq!(world.instance_states(id), ["stopped"]);
}

#[tokio::test]
async fn a_stop_while_it_boots_waits_for_the_boot_and_then_stops_it() {
    let world = World::new();
    let create = world.create("lab").await;
    let id = create.target.unwrap();
    world.deliver().await;
    assert_eq!(world.instance_states(id), ["pending"]);
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    assert_eq!(world.instance_states(id), ["stopped"]);
    assert_eq!(world.failed(create.id).await.0, "superseded");
}

#[tokio::test]
async fn stopping_what_is_stopped_and_starting_what_runs_succeed() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    for _ in 0..2 {
        let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
        world.succeeded(stop.id).await;
    }
    assert_eq!((world.calls("StopInstances"), world.calls("StartInstances")), (1, 0));
}

#[tokio::test]
async fn terminating_while_a_launch_is_open_finds_the_instance_by_its_tag() {
    let world = World::new();
    let create = world.create("lab").await;
    let id = create.target.unwrap();
    world.queue.take();
    world.table.memory.fail_writes_after(2);
    assert!(world.run(create.id).await.is_err());
    world.table.memory.heal();
    assert!(world.worker(id).await.has_open_launch());
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(terminate.id).await;
    assert_eq!(world.instance_states(id), ["terminated"]);
    assert_eq!(world.failed(create.id).await.0, "superseded");
    assert_eq!(world.worker(id).await.status, WorkerStatus::Terminated);
}

#[tokio::test]
async fn terminating_a_launch_that_ec2_never_accepted_ends_after_two_empty_answers() {
    let world = World::new();
    world.fault("RunInstances", "InternalError", 1_000);
    let create = world.create("lab").await;
    let id = create.target.unwrap();
    world.tick().await;
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    world.deliver().await;
    assert_eq!(world.operation(terminate.id).await.status, OperationStatus::Running);
    world.succeeded(terminate.id).await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Terminated);
    assert_eq!(world.ended(create.id).await.status, OperationStatus::Failed);
    assert!(world.cloud.instances().is_empty());
}

#[tokio::test]
async fn a_launch_that_ec2_refused_is_stopped_or_terminated_at_once_and_says_so() {
    for desired in [DesiredState::Stopped, DesiredState::Terminated] {
        let world = World::new();
        world.fault("RunInstances", "InsufficientInstanceCapacity", 1_000);
        let id = world.create("lab").await.target.unwrap();
        world.tick().await;
        assert!(world.worker(id).await.launch_refused);
        let operation = match desired {
            DesiredState::Stopped => stop_worker(&world.ctx, &asked(), id, None).await.unwrap(),
            _ => terminate_worker(&world.ctx, &asked(), id).await.unwrap(),
        };
        world.deliver().await;
        assert_eq!(world.operation(operation.id).await.status, OperationStatus::Succeeded);
        let detail = world.worker(id).await.status_detail.unwrap();
        assert!(detail.contains("EC2 refused"), "{detail}");
        assert!(world.cloud.instances().is_empty());
    }
}

#[tokio::test]
async fn a_command_on_a_version_that_is_no_longer_current_is_refused_with_both() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let seen = world.worker(id).await.version;
    let stop = stop_worker(&world.ctx, &Asked { if_match: Some(seen), ..asked() }, id, None).await.unwrap();
    world.succeeded(stop.id).await;
    let now = world.worker(id).await.version;
    let stale = start_worker(&world.ctx, &Asked { if_match: Some(seen), ..asked() }, id).await;
    assert!(
        matches!(stale, Err(AppError::Stale { expected, current }) if (expected, current) == (seen, now)),
        "{stale:?}"
    );
    assert_eq!(world.worker(id).await.version, now);
}
