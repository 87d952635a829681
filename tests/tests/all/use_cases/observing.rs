//! What EC2 does of its own accord: seen, told in words, and never taken for a wish.

use app::message::CollectAws;
use app::use_cases::collect_aws::collect_aws;
use app::use_cases::control_power::Judgement;
use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::worker_commands::{start_worker, stop_worker, terminate_worker};
use domain::operation::OperationStatus;
use domain::worker::{DesiredState, WorkerStatus};

use super::world::{World, asked, home, new_worker};

/// Minutes in which the sweep has looked at every worker once.
const SWEEP: u32 = 6;

#[tokio::test]
async fn a_state_whose_event_was_lost_is_right_within_one_sweep() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.set_event_faults(1_000, 0);
    world.cloud.stop_by_hand(&world.instance(id).await).unwrap();
    world.pass(60);
    world.ticks(SWEEP).await;
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.desired), (WorkerStatus::Stopped, DesiredState::Running));
    assert!(worker.state_reason.contains("stopped outside CML Cloud Manager"), "{}", worker.state_reason);
    // It is told, and left as the person wanted it.
    assert_eq!(world.calls("StartInstances"), 0);
}

#[tokio::test]
async fn an_event_is_recorded_before_the_sweep_comes_and_once_however_often_it_is_told() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.set_event_faults(0, 1_000);
    world.cloud.stop_by_hand(&world.instance(id).await).unwrap();
    world.pass(60);
    world.deliver_events().await;
    let worker = world.worker(id).await;
    assert_eq!(worker.status, WorkerStatus::Stopped);
    world.deliver().await;
    assert_eq!(world.worker(id).await.version, worker.version);
}

#[tokio::test]
async fn an_instance_terminated_by_hand_is_told_in_words_and_not_replaced() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.terminate_by_hand(&world.instance(id).await).unwrap();
    world.ticks(SWEEP).await;
    let worker = world.worker(id).await;
    assert_eq!((worker.status, worker.desired), (WorkerStatus::Terminated, DesiredState::Running));
    assert!(worker.state_reason.contains("terminated outside CML Cloud Manager"), "{}", worker.state_reason);
    assert!(worker.state_reason.contains("User initiated shutdown"), "{}", worker.state_reason);
    world.ticks(20).await;
    assert_eq!((world.calls("RunInstances"), world.cloud.running().len()), (1, 0));
}

#[tokio::test]
async fn an_instance_lost_to_its_host_is_told_in_words_and_launched_when_a_stopped_worker_is_started() {
    for listed in [true, false] {
        let world = World::new();
        let id = world.ready_worker("lab").await;
        let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
        world.succeeded(stop.id).await;
        let lost = world.instance(id).await;
        world.cloud.kill(&lost).unwrap();
        world.tick().await;
        let worker = world.worker(id).await;
        assert_eq!(worker.status, WorkerStatus::Failed);
        assert!(worker.state_reason.contains("lost to its host"), "{}", worker.state_reason);
        assert!(worker.state_reason.contains("Internal error"), "{}", worker.state_reason);
        // EC2 lists it for an hour more.
        world.ticks(if listed { 5 } else { 70 }).await;
        assert_eq!((world.worker(id).await.status, world.calls("RunInstances")), (WorkerStatus::Failed, 1));
        let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
        world.succeeded(start.id).await;
        let worker = world.worker(id).await;
        assert_eq!((worker.status, worker.launch_number), (WorkerStatus::Running, 2), "listed: {listed}");
        assert_ne!(world.instance(id).await, lost);
    }
}

#[tokio::test]
async fn a_lost_worker_that_is_terminated_is_terminated_and_not_launched_again() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.cloud.kill(&world.instance(id).await).unwrap();
    world.deliver_events().await;
    let terminate = terminate_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(terminate.id).await;
    assert_eq!(world.worker(id).await.status, WorkerStatus::Terminated);
    assert_eq!(world.calls("RunInstances"), 1);
}

#[tokio::test]
async fn an_instance_that_ec2_does_not_list_once_is_not_taken_for_gone() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.ec2.blind(true);
    let missed = world.until(id, |worker| worker.missing_since.is_some()).await;
    assert_eq!(missed.status, WorkerStatus::Running);
    world.ec2.blind(false);
    let seen = world.until(id, |worker| worker.missing_since.is_none()).await;
    assert_eq!(seen.status, WorkerStatus::Running);
}

#[tokio::test]
async fn an_answer_that_lists_none_of_several_instances_asked_for_together_is_not_believed() {
    let world = World::new();
    let worker_ids = vec![world.ready_worker("one").await, world.ready_worker("two").await];
    world.ec2.blind(true);
    for _ in 0..3 {
        world.pass(120);
        let message = CollectAws { place: home(), worker_ids: worker_ids.clone() };
        collect_aws(&world.ctx, &world.ec2, &world.cloud, &message).await.unwrap();
    }
    for id in worker_ids {
        let worker = world.worker(id).await;
        assert_eq!((worker.status, worker.missing_since), (WorkerStatus::Running, None));
    }
}

#[tokio::test]
async fn an_instance_that_ec2_does_not_list_twice_is_gone_and_not_replaced() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    world.ec2.blind(true);
    world.until(id, |worker| worker.missing_since.is_some()).await;
    let gone = world.until(id, |worker| worker.missing_since.is_none() || worker.status.is_final()).await;
    assert_eq!(gone.status, WorkerStatus::Terminated);
    assert!(gone.state_reason.contains("It is not replaced"), "{}", gone.state_reason);
    assert_eq!(world.calls("RunInstances"), 1);
}

#[tokio::test]
async fn a_region_that_does_not_answer_leaves_the_workers_of_others_judged() {
    let world = World::new();
    let europe = NewWorker { region: "eu-west-1".into(), ..new_worker("europe") };
    let europe = create_worker(&world.ctx, &asked(), europe).await.unwrap();
    assert_eq!(world.succeeded(europe.id).await.status, OperationStatus::Succeeded);
    let (europe, america) = (europe.target.unwrap(), world.ready_worker("america").await);
    for id in [europe, america] {
        let due = world.ctx.store.power(id).await.unwrap().unwrap();
        world.ctx.store.save_power(&app::store::PowerDue { due_at: world.now(), ..due }).await.unwrap();
    }
    world.cloud.stop_by_hand(&world.instance(america).await).unwrap();
    world.cloud.stop_by_hand(&world.instance(europe).await).unwrap();
    // One question a region, in the order of their names.
    world.fault("DescribeInstances", "Unavailable", 1);
    let judgement = Judgement::look(&world.ctx, world.ports(), &[america, europe]).await.unwrap();
    assert!(judgement.judge(america).await.is_ok());
    assert!(judgement.judge(europe).await.is_err());
    assert_eq!(world.worker(america).await.status, WorkerStatus::Stopping);
    assert_eq!(world.worker(europe).await.status, WorkerStatus::Running);
    // And the one that failed is still due.
    world.until(europe, |worker| worker.status == WorkerStatus::Stopped).await;
}
