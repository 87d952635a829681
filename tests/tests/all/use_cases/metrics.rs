//! Collection: who is read, each source for itself, and at what price.

use std::collections::BTreeMap;

use app::message::{CollectAws, CollectCml, Message};
use app::ports::Queue;
use app::use_cases::collect_aws::collect_aws;
use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::dispatch_metrics::dispatch_metrics;
use app::use_cases::import_workers::{NewImport, import_workers};
use app::use_cases::worker_commands::stop_worker;
use domain::WorkerId;

use super::world::{World, asked, home, new_worker, place};

/// Reads a worker's AWS side, once, now.
async fn read_aws(world: &World, id: WorkerId) {
    world.pass(60);
    let message = CollectAws { place: home(), worker_ids: vec![id] };
    collect_aws(&world.ctx, &world.ec2, &world.cloud, &message).await.unwrap();
}

#[tokio::test]
async fn cloudwatch_failing_leaves_ec2s_reading_new_and_its_own_old_with_its_time() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let before = world.ctx.store.telemetry(id).await.unwrap();
    world.fault("GetMetricData", "Throttling", 1);
    read_aws(&world, id).await;
    let after = world.ctx.store.telemetry(id).await.unwrap();
    assert_eq!(after.aws.ec2_at, Some(world.now()));
    assert_eq!(after.aws.cloudwatch_at, before.aws.cloudwatch_at);
    assert_eq!(after.aws.cloudwatch, before.aws.cloudwatch);
    assert!(after.aws.errors.len() == 1 && after.aws.errors[0].contains("GetMetricData"), "{:?}", after.aws.errors);
    assert_eq!(after.cml, before.cml);
}

#[tokio::test]
async fn status_checks_failing_leave_cloudwatchs_reading_new_and_their_own_old_with_its_time() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let before = world.ctx.store.telemetry(id).await.unwrap();
    world.fault("DescribeInstanceStatus", "Unavailable", 1);
    read_aws(&world, id).await;
    let after = world.ctx.store.telemetry(id).await.unwrap();
    assert_eq!((after.aws.ec2_at, &after.aws.ec2), (before.aws.ec2_at, &before.aws.ec2));
    assert_eq!(after.aws.cloudwatch_at, Some(world.now()));
}

#[tokio::test]
async fn a_controller_failing_leaves_awss_readings_new_and_its_own_old_with_its_time() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    let before = world.ctx.store.telemetry(id).await.unwrap();
    world.cml.set(|says| says.reachable = false);
    world.ticks(6).await;
    let after = world.ctx.store.telemetry(id).await.unwrap();
    assert!(after.aws.ec2_at > before.aws.ec2_at && after.aws.cloudwatch_at > before.aws.cloudwatch_at);
    assert!(after.cml.tried_at > before.cml.tried_at);
    assert_eq!(after.cml.read_at, before.cml.read_at);
    assert_eq!((after.cml.cml.labs, after.cml.cml.ready), (Some(3), false));
    assert!(after.cml.errors[0].contains("Unreachable"), "{:?}", after.cml.errors);
}

#[tokio::test]
async fn only_running_workers_are_read_grouped_by_place() {
    let world = World::new();
    let (runs, stopped) = (world.running_worker("runs").await, world.running_worker("stopped").await);
    let europe = NewWorker { region: "eu-west-1".into(), ..new_worker("europe") };
    let europe = create_worker(&world.ctx, &asked(), europe).await.unwrap();
    world.succeeded(europe.id).await;
    let europe = europe.target.unwrap();
    let stop = stop_worker(&world.ctx, &asked(), stopped, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.queue.take();
    dispatch_metrics(&world.ctx).await.unwrap();

    let sent = world.queue.take();
    let bodies = |queue: Queue| sent.iter().filter(move |(to, _)| *to == queue).map(|(_, body)| body.as_str());
    let aws: BTreeMap<_, _> =
        bodies(Queue::MetricsAws).map(|b| CollectAws::read(b).unwrap()).map(|m| (m.place, m.worker_ids)).collect();
    let expected = [(place("123456789012", "eu-west-1"), vec![europe]), (home(), vec![runs])];
    assert_eq!(aws, BTreeMap::from(expected));
    let cml: Vec<_> = bodies(Queue::MetricsCml).flat_map(|b| CollectCml::read(b).unwrap().worker_ids).collect();
    assert_eq!(cml, [europe, runs]);
}

#[tokio::test]
async fn a_cycle_over_250_workers_makes_the_calls_and_writes_it_may() {
    let workers = 250_u64;
    let world = World::new();
    for n in 0..workers {
        world.seed(&format!("lab {n}"), None, true);
    }
    let import = NewImport { region: "us-east-1".into(), all: true, ..NewImport::default() };
    let import = import_workers(&world.ctx, &asked(), import).await.unwrap();
    world.succeeded(import.id).await;
    // The first cycle records what is new: certificates, services.
    dispatch_metrics(&world.ctx).await.unwrap();
    world.deliver().await;
    world.pass(300);

    let names = ["DescribeInstances", "DescribeInstanceStatus", "GetMetricData"];
    let before = names.map(|name| world.calls(name));
    world.table.take_written();
    dispatch_metrics(&world.ctx).await.unwrap();
    world.deliver().await;
    let after = names.map(|name| world.calls(name));
    let [describe, status, metrics] = [0, 1, 2].map(|n| after[n] - before[n]);
    assert!(describe <= workers.div_ceil(100), "{describe}");
    assert!(status <= workers.div_ceil(100), "{status}");
    assert!(metrics <= (workers * 4).div_ceil(500), "{metrics}");

    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    for call in world.table.take_written() {
        assert_eq!(call.len(), 1, "a transaction: {call:?}");
        *writes.entry(call[0].pk.clone()).or_default() += 1;
    }
    assert_eq!(writes.len() as u64, workers);
    assert!(writes.values().all(|count| *count == 2), "{writes:?}");
}
