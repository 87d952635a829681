use std::sync::Arc;

use async_trait::async_trait;
use domain::instance::Lifecycle;
use domain::worker::{Change, InstanceFacts, LaunchSpec, WorkerEvent};
use domain::{Actor, Place, WorkerId};

use super::*;
use crate::Settings;
use crate::ports::{Outgoing, Queue, Queues};
use crate::store::Commit;
use crate::testing::{CountingRandom, ManualClock, MemoryTable};

struct NoQueues;

#[async_trait]
impl Queues for NoQueues {
    async fn send(&self, _: Queue, _: Vec<Outgoing>) -> Result<(), PortError> {
        Err(PortError::new("sqs", "this zone may have no way to a queue"))
    }
}

const ENDPOINT: &str = "https://203.0.113.7";

fn bench() -> (Context, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()));
    let (table, random) = (Arc::<MemoryTable>::default(), Arc::new(CountingRandom::default()));
    let settings = Settings::new("123456789012".parse().unwrap());
    (Context::new(table, Arc::new(NoQueues), clock.clone(), clock.clone(), random, settings), clock)
}

/// A worker that EC2 shows running since this moment.
async fn running(ctx: &Context) -> Worker {
    let spec = LaunchSpec::of_type("m5zn.metal");
    let place = Place { account: "123456789012".parse().unwrap(), region: "eu-central-1".parse().unwrap() };
    let draft = Worker::draft(WorkerId::new(ctx.now(), 7), "lab".into(), place, spec, ctx.now());
    let facts = InstanceFacts {
        id: "i-00000000000000001".parse().unwrap(),
        instance_type: "m5zn.metal".into(),
        ami_id: "ami-0123456789abcdef0".into(),
        availability_zone: None,
        public_ip: Some("203.0.113.7".into()),
        private_ip: None,
        lifecycle: Lifecycle::OnDemand,
        detailed_monitoring: false,
    };
    let runs = WorkerEvent::StatusChanged {
        from: WorkerStatus::Pending,
        to: WorkerStatus::Running,
        detail: None,
        reason: None,
        running_since: Some(ctx.now()),
    };
    happen(ctx, draft, vec![WorkerEvent::Created, WorkerEvent::InstanceAttached(facts), runs]).await
}

async fn happen(ctx: &Context, worker: Worker, events: Vec<WorkerEvent>) -> Worker {
    let change = Change::of(&worker, events, Actor::Aws, ctx.now()).unwrap();
    let commit = Commit { change: Some(change.clone()), ..Commit::default() };
    ctx.store.commit(&commit, ctx.settings.operation_retention).await.unwrap();
    change.worker
}

async fn may(ctx: &Context, worker: &Worker) -> bool {
    may_be_asked(ctx, worker, ENDPOINT, ctx.now()).await.unwrap().is_ok()
}

#[tokio::test]
async fn a_first_contact_is_made_only_at_an_address_that_ec2_has_just_told_and_has_it_asked() {
    let (ctx, clock) = bench();
    let worker = running(&ctx).await;
    clock.advance(FIRST_CONTACT_WITHIN);
    assert!(may(&ctx, &worker).await);
    assert_eq!(ctx.store.power(worker.id).await.unwrap(), None);

    clock.advance(SignedDuration::from_millis(1));
    assert!(!may(&ctx, &worker).await);
    let due = ctx.store.power(worker.id).await.unwrap().unwrap();
    assert_eq!(due.due_at, ctx.now(), "the next tick judges it, and looks at EC2 for that");
    assert!(!may(&ctx, &worker).await);
    assert_eq!(ctx.store.power(worker.id).await.unwrap().unwrap().version, due.version, "asked for once");

    let judged = PowerDue { version: due.version + 1, shown_at: Some(ctx.now()), ..due };
    ctx.store.save_power(&judged).await.unwrap();
    assert!(may(&ctx, &worker).await);
    clock.advance(FIRST_CONTACT_WITHIN + SignedDuration::from_secs(1));
    assert!(!may(&ctx, &worker).await, "and not for long");
}

#[tokio::test]
async fn a_recorded_certificate_vouches_for_an_address_that_was_told_a_while_ago() {
    let (ctx, clock) = bench();
    let worker = running(&ctx).await;
    let pinned = happen(&ctx, worker, vec![WorkerEvent::CertificatePinned { sha256: "aa".into() }]).await;
    clock.advance(SignedDuration::from_mins(14));
    assert!(may(&ctx, &pinned).await);
    clock.advance(SignedDuration::from_mins(2));
    assert!(!may(&ctx, &pinned).await);
}
