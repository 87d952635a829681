//! What the reconciler decided, in numbers, and the judging of a worker or the whole fleet on demand.

use std::collections::BTreeMap;

use app::AppError;
use app::store::Counts;
use app::use_cases::reconcile_commands::{reconcile_fleet, reconcile_worker, reconciliation_stats, set_desired_state};
use app::use_cases::worker_commands::{stop_worker, terminate_worker};
use domain::operation::OperationStatus;
use domain::worker::{DesiredState, Worker, WorkerStatus};
use domain::{Sight, WorkerId};

use super::world::{World, asked, keyed};

impl World {
    async fn counts(&self) -> Counts {
        self.ctx.store.reconciliation_counts().await.unwrap().workers
    }

    async fn live(&self) -> Vec<Worker> {
        let all = self.ctx.store.list_workers(None, 200, None).await.unwrap().items;
        all.into_iter().filter(Worker::is_live).collect()
    }
}

fn without_zeroes(counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.clone(), *count)).collect()
}

/// The counters against what every worker says of itself.
async fn assert_they_are_the_fleet(world: &World) {
    let live = world.live().await;
    let ids: Vec<WorkerId> = live.iter().map(|worker| worker.id).collect();
    let mut decisions: BTreeMap<String, u64> = BTreeMap::new();
    for due in world.ctx.store.powers(&ids).await.unwrap() {
        let (_, decision) = due.decided.unwrap();
        *decisions.entry(decision.action.name().to_owned()).or_default() += 1;
    }
    let counts = world.counts().await;
    assert_eq!(counts.total, live.len() as u64);
    assert_eq!(counts.in_need, live.iter().filter(|worker| !worker.is_as_wished()).count() as u64);
    assert_eq!(without_zeroes(&counts.decisions), decisions);
}

#[tokio::test]
async fn the_numbers_equal_a_seeded_fleet() {
    let world = World::new();
    let ready = world.ready_worker("ready").await;
    let stopped = world.running_worker("stopped").await;
    // A wish of the very moment of a judgement would be sent with that one's id.
    world.pass(1);
    let stop = set_desired_state(&world.ctx, &asked(), stopped, DesiredState::Stopped, false).await.unwrap();
    world.succeeded(stop.id).await;
    let gone = world.running_worker("gone").await;
    world.pass(1);
    // Without saving its labs first: no controller answers in this world.
    let end = terminate_worker(&world.ctx, &asked(), gone).await.unwrap();
    world.succeeded(end.id).await;
    world.fault("RunInstances", "UnauthorizedOperation", 100);
    let refused = world.create("refused").await;
    world.failed(refused.id).await;
    for _ in 0..20 {
        world.tick().await;
    }
    assert_they_are_the_fleet(&world).await;
    let counts = world.counts().await;
    assert_eq!((counts.total, counts.in_need, counts.errors), (3, 1, 1));
    assert_eq!(world.worker(gone).await.status, WorkerStatus::Terminated);

    // A host fails: what is done about it is counted once, and forgotten nowhere.
    let acted: u64 = counts.actions.values().sum();
    world.cloud.kill(&world.instance(ready).await).unwrap();
    for _ in 0..40 {
        world.tick().await;
    }
    assert_they_are_the_fleet(&world).await;
    let after: u64 = world.counts().await.actions.values().sum();
    assert_eq!(after, acted + 1);
}

#[tokio::test]
async fn the_last_run_is_the_last_tick() {
    let world = World::new();
    assert_eq!(world.ctx.store.last_run().await.unwrap(), None);
    world.running_worker("one").await;
    world.tick().await;
    assert_eq!(world.ctx.store.last_run().await.unwrap().unwrap().at, world.now());
}

#[tokio::test]
async fn a_run_over_the_fleet_is_one_while_it_is_going_and_judges_every_worker() {
    let world = World::new();
    for name in ["one", "two", "three"] {
        world.running_worker(name).await;
    }
    // What is asked for at the same moment is one run too.
    let asked = asked();
    let (one, other) =
        futures::future::join(reconcile_fleet(&world.ctx, &asked), reconcile_fleet(&world.ctx, &asked)).await;
    let (run, other) = (one.unwrap(), other.unwrap());
    assert_eq!(run.id, other.id);
    let stats = reconciliation_stats(&world.ctx, &Sight::Everything).await.unwrap();
    assert_eq!(stats.going, Some(run.id));
    world.run(run.id).await.unwrap();
    assert_eq!(world.operation(run.id).await.status, OperationStatus::Running);
    assert_eq!(reconcile_fleet(&world.ctx, &asked).await.unwrap().id, run.id, "it is going still");
    let ended = world.succeeded(run.id).await;
    assert_eq!(ended.result.unwrap().workers, Some(3));
    for worker in world.live().await {
        let (at, _) = world.ctx.store.power(worker.id).await.unwrap().unwrap().decided.unwrap();
        assert!(at >= run.requested_at, "{} was not judged", worker.name);
    }
    assert_ne!(reconcile_fleet(&world.ctx, &asked).await.unwrap().id, run.id, "that one has ended");
}

#[tokio::test]
async fn a_worker_without_a_due_item_gets_one_by_a_run_over_the_fleet() {
    let world = World::new();
    let id = world.running_worker("one").await;
    world.ctx.store.drop_power(id).await.unwrap();
    let run = reconcile_fleet(&world.ctx, &asked()).await.unwrap();
    world.succeeded(run.id).await;
    assert!(world.ctx.store.power(id).await.unwrap().unwrap().decided.is_some());
}

#[tokio::test]
async fn a_worker_is_judged_on_demand_and_the_operation_says_what_came_of_it() {
    let world = World::new();
    let id = world.ready_worker("one").await;
    let operation = reconcile_worker(&world.ctx, &keyed("k", "a"), id).await.unwrap();
    assert_eq!(reconcile_worker(&world.ctx, &keyed("k", "a"), id).await.unwrap().id, operation.id);
    let again = reconcile_worker(&world.ctx, &asked(), id).await;
    assert!(matches!(again, Err(AppError::TooSoon { .. })), "{again:?}");
    let detail = world.succeeded(operation.id).await.result.unwrap().detail.unwrap();
    assert!(detail.starts_with("Judged: wait. "), "{detail}");
}

#[tokio::test]
async fn a_worker_that_ec2_does_not_show_us_says_so_and_a_run_over_the_fleet_waits_for_it() {
    let world = World::new();
    let id = world.ready_worker("one").await;
    world.fault("DescribeInstances", "UnauthorizedOperation", 100_000);
    world.ticks(30).await;
    let reason = world.power_reason(id).await;
    assert!(reason.contains("could not be judged") && reason.contains("UnauthorizedOperation"), "{reason}");
    let counts = world.counts().await;
    assert_eq!((without_zeroes(&counts.decisions), counts.errors), (BTreeMap::from([("investigate".into(), 1)]), 1));
    let judged = reconcile_worker(&world.ctx, &asked(), id).await.unwrap();
    let run = reconcile_fleet(&world.ctx, &asked()).await.unwrap();
    for (operation, named) in [(judged, "UnauthorizedOperation".to_owned()), (run, id.to_string())] {
        let ended = world.ended(operation.id).await;
        let said = ended.error.unwrap().message;
        assert_eq!(ended.status, OperationStatus::Expired);
        assert!(said.contains(&named), "{said}");
    }
}

#[tokio::test]
async fn what_could_not_be_launched_and_is_not_wanted_any_more_is_in_nobodys_need() {
    let world = World::new();
    world.fault("RunInstances", "UnauthorizedOperation", 100);
    let create = world.create("refused").await;
    world.ended(create.id).await;
    let id = create.target.unwrap();
    world.tick().await;
    let counts = world.counts().await;
    assert_eq!((counts.in_need, counts.errors), (1, 1));
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    world.succeeded(stop.id).await;
    world.tick().await;
    let counts = world.counts().await;
    assert_eq!((counts.in_need, counts.errors), (0, 0), "{}", world.power_reason(id).await);
}

#[tokio::test]
async fn the_end_of_what_was_asked_for_is_judged_at_the_next_tick() {
    let world = World::new();
    let id = world.ready_worker("one").await;
    world.pass(1);
    let stop = stop_worker(&world.ctx, &asked(), id, None).await.unwrap();
    let ended = world.succeeded(stop.id).await.finished_at.unwrap();
    world.tick().await;
    let (at, decision) = world.ctx.store.power(id).await.unwrap().unwrap().decided.unwrap();
    assert!(at >= ended, "{at} {ended}");
    assert!(decision.reason.starts_with("Stopped, as wished."), "{}", decision.reason);
}
