//! No capacity: another type or zone is taken, said, and asked for once a step by all workers together.

use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::worker_commands::{start_worker, stop_worker};
use domain::WorkerId;
use domain::operation::OperationStatus;
use domain::worker::{LaunchSpec, Worker, WorkerStatus};
use local_region::Scarce;

use super::world::{World, asked, new_worker};

const WISHED: &str = "m5zn.metal";
const OTHER: &str = "c5.metal";

fn scarce(types: &[&str]) -> Vec<Scarce> {
    types.iter().map(|of| Scarce { instance_type: (*of).to_owned(), availability_zone: None }).collect()
}

/// Workers name neither type nor alternatives: the fleet's hold.
fn world(types: &[&str]) -> World {
    let world = World::with(|settings| {
        settings.default_instance_type = WISHED.into();
        settings.fallback_instance_types = vec![OTHER.into()];
    });
    world.cloud.set_scarce(scarce(types));
    world
}

fn runs_on(worker: &Worker) -> &str {
    &worker.instance.as_ref().unwrap().instance_type
}

async fn stopped_worker(world: &World) -> WorkerId {
    let id = world.running_worker("lab").await;
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    id
}

#[tokio::test]
async fn a_launch_takes_the_next_type_at_once_and_says_so_in_the_reason_and_in_an_event() {
    let world = world(&[WISHED]);
    let operation = world.create("lab").await;
    world.deliver().await;
    let id = operation.target.unwrap();
    let worker = world.worker(id).await;
    assert_eq!((runs_on(&worker), worker.spec.instance_type.as_str(), worker.given_type()), (OTHER, WISHED, OTHER));
    assert_eq!(
        worker.state_reason,
        "Launched for alice as c5.metal in us-east-1, because EC2 had no m5zn.metal in us-east-1 \
         (InsufficientInstanceCapacity)."
    );
    // Another token: EC2 binds one to the parameters it came with.
    assert_eq!((worker.launch_number, world.calls("RunInstances")), (2, 2));
    world.succeeded(operation.id).await;
    assert_eq!(world.instance_states(id), ["running"]);
    let events = world.ctx.store.worker_events(id, 50, None).await.unwrap().items;
    let kinds: Vec<&str> = events.iter().rev().take(6).map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "worker.created",
            "worker.launch_intended",
            "worker.launch_refused",
            "worker.launch_intended",
            "worker.fallback_chosen",
            "worker.instance_attached"
        ]
    );
}

#[tokio::test]
async fn the_same_type_in_another_zone_comes_before_another_type() {
    let world = world(&[]);
    let subnet = |n: u32| format!("subnet-0123456789abcdef{n}");
    let spec = LaunchSpec {
        subnet_id: Some(subnet(0)),
        fallback_subnet_ids: (1..6).map(subnet).collect(),
        ..new_worker("").spec
    };
    let new = || NewWorker { spec: spec.clone(), ..new_worker("lab") };
    let first = create_worker(&world.ctx, &asked(), new()).await.unwrap();
    world.deliver().await;
    let zone = world.worker(first.target.unwrap()).await.instance.unwrap().availability_zone;
    world.cloud.set_scarce(vec![Scarce { instance_type: WISHED.into(), availability_zone: zone.clone() }]);
    let second = create_worker(&world.ctx, &asked(), new()).await.unwrap();
    world.succeeded(second.id).await;
    let worker = world.worker(second.target.unwrap()).await;
    assert_eq!(runs_on(&worker), WISHED);
    assert_ne!(worker.instance.unwrap().availability_zone, zone);
}

#[tokio::test]
async fn a_worker_without_alternatives_waits_and_is_launched_when_capacity_comes_back() {
    let world = world(&[WISHED]);
    let spec = LaunchSpec { instance_type: WISHED.into(), ..new_worker("").spec };
    let new = NewWorker { spec, takes_fleets_types: false, ..new_worker("lab") };
    let operation = create_worker(&world.ctx, &asked(), new).await.unwrap();
    world.ticks(10).await;
    let waiting = world.operation(operation.id).await;
    assert_eq!(waiting.status, OperationStatus::Running);
    assert!(waiting.waiting_for.unwrap().contains("InsufficientInstanceCapacity: no m5zn.metal in us-east-1"));
    world.cloud.set_scarce(vec![]);
    world.succeeded(operation.id).await;
    assert_eq!(runs_on(&world.worker(operation.target.unwrap()).await), WISHED);
    // What is past is forgotten: the next one asks at once, for what it wishes.
    let next = world.create("next").await;
    world.deliver().await;
    assert_eq!(runs_on(&world.worker(next.target.unwrap()).await), WISHED);
}

#[tokio::test]
async fn forty_workers_without_capacity_ask_once_a_step_all_together() {
    let world = world(&[WISHED, OTHER]);
    for n in 0..40 {
        world.create(&format!("lab {n}")).await;
    }
    // All start at the same moment; the first refusal of each type is known to those after it.
    world.deliver().await;
    assert_eq!(world.calls("RunInstances"), 2);
    world.ticks(44).await;
    // Steps of 1, 2, 4, 8 and then 10 minutes, each spread by up to a half, for two types.
    assert!(world.calls("RunInstances") <= 16, "{}", world.calls("RunInstances"));
    assert!(world.cloud.instances().is_empty());
}

#[tokio::test]
async fn a_stopped_worker_gets_the_next_type_before_its_start_and_keeps_it() {
    let world = world(&[]);
    let id = stopped_worker(&world).await;
    world.cloud.set_scarce(scarce(&[WISHED]));
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    let worker = world.worker(id).await;
    let zone = worker.instance.as_ref().unwrap().availability_zone.clone().unwrap();
    assert_eq!((worker.status, runs_on(&worker)), (WorkerStatus::Running, OTHER));
    assert_eq!(
        worker.state_reason,
        format!(
            "Started for alice as c5.metal in {zone}, because EC2 had no m5zn.metal in {zone} \
             (InsufficientInstanceCapacity)."
        )
    );
    assert_eq!((world.calls("ModifyInstanceAttribute"), world.calls("StartInstances")), (1, 2));
    assert_eq!(world.cloud.instances().len(), 1);

    world.cloud.set_scarce(vec![]);
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    let start = start_worker(&world.ctx, &asked(), id).await.unwrap();
    world.succeeded(start.id).await;
    assert_eq!((runs_on(&world.worker(id).await), world.calls("ModifyInstanceAttribute")), (OTHER, 1));
}

#[tokio::test]
async fn what_a_zone_does_not_offer_leads_elsewhere_and_fails_at_once_without_alternatives() {
    let world = world(&[]);
    world.fault("RunInstances", "Unsupported", 1);
    let operation = world.create("lab").await;
    world.deliver().await;
    assert_eq!(runs_on(&world.worker(operation.target.unwrap()).await), OTHER);

    let spec = LaunchSpec { instance_type: "r5.metal".into(), ..new_worker("").spec };
    let new = NewWorker { spec, takes_fleets_types: false, ..new_worker("lab") };
    world.fault("RunInstances", "Unsupported", 1);
    let operation = create_worker(&world.ctx, &asked(), new).await.unwrap();
    assert_eq!(world.failed(operation.id).await.0, "Unsupported");
    assert_eq!(world.calls("RunInstances"), 3);
}

#[tokio::test]
async fn a_launch_that_was_never_answered_is_not_replaced_by_another_type_until_two_looks_show_nothing() {
    let world = world(&[]);
    // It launched, but nobody was told, EC2 lists nothing yet, and now says it has no capacity.
    world.fault("RunInstances", "timeout_after_success", 1);
    world.fault("RunInstances", "InsufficientInstanceCapacity", 1);
    world.ec2.blind(true);
    let operation = world.create("lab").await;
    world.deliver().await;
    world.ticks(3).await;
    assert_eq!(world.worker(operation.target.unwrap()).await.launch_number, 1);
    world.ec2.blind(false);
    world.succeeded(operation.id).await;
    assert_eq!(world.cloud.instances().len(), 1);
    assert_eq!(runs_on(&world.worker(operation.target.unwrap()).await), WISHED);
}

#[tokio::test]
async fn a_launch_that_did_nothing_though_it_was_never_answered_is_given_up_after_two_looks() {
    let world = world(&[WISHED]);
    world.fault("RunInstances", "timeout", 1);
    let operation = world.create("lab").await;
    world.succeeded(operation.id).await;
    let worker = world.worker(operation.target.unwrap()).await;
    assert_eq!((runs_on(&worker), worker.launch_number), (OTHER, 2));
    let since = worker.created_at;
    assert!(worker.running_since.unwrap().duration_since(since).as_mins() >= 5);
}
