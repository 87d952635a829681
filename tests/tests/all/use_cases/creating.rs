//! Creation: one instance, whatever fails on the way.

use app::AppError;
use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::import_workers::{NewImport, import_workers};
use app::use_cases::worker_commands::{start_worker, stop_worker, terminate_worker};
use domain::Actor;
use domain::operation::{OperationStatus, Task};
use domain::worker::{DesiredState, ImageChoice, LaunchSpec, WorkerStatus};

use super::world::{World, asked, home, keyed, new_worker};

#[tokio::test]
async fn a_worker_boots_is_read_by_three_sources_falls_idle_and_is_stopped_with_a_reason_in_words() {
    let world = World::new();
    let operation = world.create("lab").await;
    assert_eq!((operation.status, operation.target.is_some()), (OperationStatus::Queued, true));
    let id = world.ready_worker("lab 2").await;
    assert_eq!(world.operation(operation.id).await.result.unwrap().worker_id, operation.target);

    world.ticks(10).await;
    let telemetry = world.ctx.store.telemetry(id).await.unwrap();
    assert!(telemetry.aws.ec2_at.is_some() && telemetry.aws.ec2.passed());
    assert!(telemetry.aws.cloudwatch_at.is_some());
    assert_eq!(telemetry.aws.cloudwatch.cpu_percent, Some(12.5));
    assert!(telemetry.cml.read_at.is_some());
    assert_eq!((telemetry.cml.cml.labs, telemetry.cml.cml.running_nodes), (Some(3), Some(0)));

    let worker = world.until(id, |worker| worker.status == WorkerStatus::Stopped).await;
    assert_eq!(world.instance_states(id), ["stopped"]);
    assert_eq!(worker.desired, DesiredState::Stopped);
    let words = "Stopped by idle shutdown: No lab runs and nobody has used it since 2026-03-02 09:0";
    assert!(worker.state_reason.starts_with(words), "{}", worker.state_reason);
    assert!(worker.state_reason.ends_with("the idle timeout is 60 minutes."), "{}", worker.state_reason);
    let stop = world.ctx.store.list_operations(Some(id), 1, None).await.unwrap().items.remove(0);
    assert_eq!((&stop.task, &stop.requested_by), (&Task::StopWorker, &Actor::idle_shutdown()));
    world.succeeded(stop.id).await;
}

#[tokio::test]
async fn the_same_key_twice_makes_one_instance_and_one_operation() {
    let world = World::new();
    let first = create_worker(&world.ctx, &keyed("k", "body"), new_worker("lab")).await.unwrap();
    world.succeeded(first.id).await;
    let again = create_worker(&world.ctx, &keyed("k", "body"), new_worker("lab")).await.unwrap();
    assert_eq!((again.id, again.status), (first.id, OperationStatus::Succeeded));
    world.ticks(2).await;
    assert_eq!(world.cloud.instances().len(), 1);
    assert_eq!(world.ctx.store.list_operations(None, 10, None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn the_same_key_at_the_same_time_makes_one_instance_and_one_operation() {
    let world = World::new();
    let asked = keyed("k", "body");
    let one = || create_worker(&world.ctx, &asked, new_worker("lab"));
    let (a, b, c) = futures::join!(one(), one(), one());
    let (a, b, c) = (a.unwrap().id, b.unwrap().id, c.unwrap().id);
    assert!(a == b && b == c);
    world.succeeded(a).await;
    assert_eq!(world.cloud.instances().len(), 1);
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let world = World::new();
    create_worker(&world.ctx, &keyed("k", "one body"), new_worker("lab")).await.unwrap();
    let other = create_worker(&world.ctx, &keyed("k", "another body"), new_worker("other")).await;
    assert!(matches!(other, Err(AppError::KeyReused)), "{other:?}");
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn what_was_not_sent_or_was_lost_after_the_write_is_sent_by_the_next_tick() {
    for refused in [true, false] {
        let world = World::new();
        if refused {
            world.queue.refuse_next(1);
        } else {
            world.queue.lose_next(1);
        }
        let operation = world.create("lab").await;
        world.deliver().await;
        assert_eq!(world.operation(operation.id).await.status, OperationStatus::Queued);
        world.succeeded(operation.id).await;
        assert_eq!(world.instance_states(operation.target.unwrap()), ["running"]);
    }
}

#[tokio::test]
async fn nothing_is_written_when_the_write_fails() {
    let world = World::new();
    world.table.memory.fail_writes_after(0);
    let created = create_worker(&world.ctx, &asked(), new_worker("lab")).await;
    assert!(matches!(created, Err(AppError::Unavailable(_))));
    assert!(world.table.memory.items().is_empty() && world.queue.take().is_empty());
}

#[tokio::test]
async fn a_crash_at_any_write_of_a_launch_leaks_no_instance_and_makes_no_second() {
    for writes in 0..8 {
        let world = World::new();
        let operation = world.create("lab").await;
        world.queue.take();
        world.table.memory.fail_writes_after(writes);
        let _ = world.run(operation.id).await;
        world.table.memory.heal();
        world.succeeded(operation.id).await;
        let id = operation.target.unwrap();
        assert_eq!(world.cloud.instances().len(), 1, "after {writes} writes");
        assert_eq!(world.instance_states(id), ["running"], "after {writes} writes");
        // And it is nobody else's from now on.
        let instance = world.instance(id).await.parse().unwrap();
        let claimant = world.ctx.store.claimant(&home(), &instance).await.unwrap();
        assert_eq!(claimant, Some(id), "after {writes} writes");
    }
}

#[tokio::test]
async fn an_instance_launched_before_a_crash_cannot_be_imported_as_another_worker() {
    let world = World::new();
    let operation = world.create("lab").await;
    world.queue.take();
    // The lease and the intent are written; what was launched is not.
    world.table.memory.fail_writes_after(2);
    assert!(world.run(operation.id).await.is_err());
    world.table.memory.heal();
    assert_eq!(world.cloud.instances().len(), 1);
    // By hand, before any tick of ours looked again.
    let import = NewImport { region: "us-east-1".into(), all: true, ..NewImport::default() };
    let import = import_workers(&world.ctx, &asked(), import).await.unwrap();
    world.ended(import.id).await;
    world.succeeded(operation.id).await;
    assert_eq!(world.ctx.store.list_workers(None, 10, None).await.unwrap().items.len(), 1);
    assert_eq!(world.instance_states(operation.target.unwrap()), ["running"]);
}

#[tokio::test]
async fn a_launch_that_succeeds_without_an_answer_makes_one_instance() {
    let world = World::new();
    world.fault("RunInstances", "timeout_after_success", 1);
    let id = world.running_worker("lab").await;
    assert_eq!(world.cloud.instances().len(), 1);
    assert_eq!(world.instance_states(id), ["running"]);
}

#[tokio::test]
async fn a_launch_without_an_answer_that_ec2_does_not_list_yet_is_asked_again_with_its_token() {
    let world = World::new();
    world.fault("RunInstances", "timeout_after_success", 1);
    world.ec2.blind(true);
    let operation = world.create("lab").await;
    world.deliver().await;
    world.pass(10);
    world.run(operation.id).await.unwrap();
    assert_eq!(world.calls("RunInstances"), 2);
    world.ec2.blind(false);
    world.succeeded(operation.id).await;
    assert_eq!(world.cloud.instances().len(), 1);
}

#[tokio::test]
async fn two_deliveries_of_a_creation_at_once_launch_one_instance() {
    let world = World::new();
    let operation = world.create("lab").await;
    let (a, b) = futures::join!(world.run(operation.id), world.run(operation.id));
    a.unwrap();
    b.unwrap();
    world.succeeded(operation.id).await;
    assert_eq!(world.cloud.instances().len(), 1);
    assert_eq!(world.worker(operation.target.unwrap()).await.launch_number, 1);
}

#[tokio::test]
async fn the_image_of_a_stranger_is_never_chosen_though_its_name_fits_and_is_newest() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let own = world.cloud.default_images(&home());
    assert_eq!(world.worker(id).await.instance.unwrap().ami_id, own[0].id);

    let image = ImageChoice::Name("cml-2.99*".into());
    let spec = LaunchSpec { image, ..new_worker("").spec };
    let strange = NewWorker { spec, ..new_worker("strange") };
    let operation = create_worker(&world.ctx, &asked(), strange).await.unwrap();
    let (code, message) = world.failed(operation.id).await;
    assert_eq!(code, "InvalidAMIName.NotFound");
    assert!(message.contains("trusted owner"), "{message}");
    assert_eq!(world.cloud.instances().len(), 1);
}

#[tokio::test]
async fn a_worker_stopped_before_its_launch_is_not_launched_before_somebody_starts_it() {
    let world = World::new();
    let create = world.create("lab").await;
    let id = create.target.unwrap();
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    assert_eq!(world.failed(create.id).await.0, "superseded");
    world.succeeded(stop.id).await;
    world.ticks(60).await;
    assert_eq!(world.calls("RunInstances"), 0);
    assert_eq!(world.power_reason(id).await, "It was never launched, and is not wanted running.");
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    assert_eq!((world.calls("RunInstances"), world.instance_states(id)), (1, vec!["running".to_owned()]));
}

#[tokio::test]
async fn a_worker_created_stopped_is_recorded_and_launched_at_its_first_start() {
    let world = World::new();
    let later = NewWorker { desired: DesiredState::Stopped, ..new_worker("later") };
    let operation = create_worker(&world.ctx, &asked(), later).await.unwrap();
    world.succeeded(operation.id).await;
    let id = operation.target.unwrap();
    assert_eq!((world.cloud.instances().len(), world.worker(id).await.status), (0, WorkerStatus::Pending));
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    let done = world.succeeded(stop.id).await;
    assert_eq!(done.result.unwrap().detail.as_deref(), Some("It was never launched."));

    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    let done = world.succeeded(terminate.id).await;
    assert_eq!(done.result.unwrap().detail.as_deref(), Some("It never had an instance."));
    assert_eq!(world.worker(id).await.status, WorkerStatus::Terminated);
    assert_eq!(world.calls("TerminateInstances"), 0);
}

#[tokio::test]
async fn the_same_wish_again_is_the_same_operation_as_long_as_that_is_under_way() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let stop = async |asked| stop_worker(&world.ctx, &asked, id, None).await.unwrap().id;
    let first = stop(asked()).await;
    assert_eq!(stop(asked()).await, first);
    assert_ne!(stop(keyed("k", "a")).await, first, "who gives a key has an operation of their own");
    world.succeeded(first).await;
    world.ticks(2).await;
    assert_ne!(stop(asked()).await, first);

    let create = world.create("other").await;
    let start = start_worker(&world.ctx, &asked(), create.target.unwrap()).await.unwrap();
    assert_eq!(start.id, create.id, "a creation starts what it launches");
}
