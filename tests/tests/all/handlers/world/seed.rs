//! A small fleet: one worker that runs, one that is gone, an operation that is done and one that waits.
//! The fixture events name them.

use std::collections::BTreeMap;

use app::Context;
use app::ports::{Ec2, InstanceFilter, Queue};
use app::store::{AwsReadings, CmlReadings, Commit, KeySecret, PowerDue, SigningSecret, StoredKey};
use domain::activity::Activity;
use domain::instance::{MANAGED_TAG, WORKER_TAG};
use domain::metrics::{CloudWatchReading, Ec2Reading, LicenseReading, ServiceStatus};
use domain::operation::{ImportSelector, ImportTask, Operation, OperationResult, Task};
use domain::power::{Evidence, decide};
use domain::reconcile::ReconcileRecord;
use domain::reconcile::worker::{conditions, drift};
use domain::worker::Offer;
use domain::worker::{
    Change, DesiredState, IdlePolicy, ImageChoice, InstanceFacts, LaunchSpec, Worker, WorkerEvent, WorkerStatus,
};
use domain::{Actor, ApiKey, InstanceId, KeyKind, Place, Role, SignedDuration, Timestamp};
use local_region::{SeedInstance, SimulatedCloud};

use super::{CERTIFICATE, now, quiet_reading, worker_id};

/// The worker that runs.
pub(in crate::handlers) const WORKER: &str = "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d";
/// The worker that is gone.
pub(crate) const TERMINATED: &str = "wkr-01kjc0a1b2c3d4e5f6g7h8j9ka";
/// An API key of the user.
const KEY: &str = "0123456789ab";
/// The operation that made the first one.
pub(in crate::handlers) const OPERATION: &str = "op-01kjq5x0n4b8d2g6j9m3p7s1w5";
/// An operation that waits for its first attempt.
pub(in crate::handlers) const QUEUED: &str = "op-01kjqad5r2f7h3k9n4q8t0v6x1";
/// An import that waits for its first attempt.
pub(in crate::handlers) const IMPORT: &str = "op-01kjqadn3w5y7a9c1e3g6j8m0p";

fn minutes_ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn ada() -> Actor {
    Actor::User { subject: "subject-of-ada".into(), username: "ada".into() }
}

/// Records the fleet.
pub(super) async fn fleet(context: &Context, cloud: &SimulatedCloud) {
    running(context, cloud).await;
    signing_key(context).await;
    super::labs::seed(context).await;
    let events = vec![
        WorkerEvent::Created,
        status(WorkerStatus::Pending, WorkerStatus::Terminated, None),
        WorkerEvent::DesiredChanged {
            from: DesiredState::Running,
            to: DesiredState::Terminated,
            reason: "Terminated by ada.".into(),
        },
    ];
    record(context, &draft(TERMINATED, "lab-0", minutes_ago(600)), events, None).await;
    let mut made = operation(context, OPERATION, Task::CreateWorker, minutes_ago(60)).await;
    made.begin(minutes_ago(60));
    made.attempts = 1;
    let result = OperationResult { worker_id: Some(worker_id(WORKER)), ..OperationResult::default() };
    made.succeed(result, minutes_ago(52));
    context.store.save_operation(&mut made, now(), context.settings.operation_retention).await.unwrap();
    operation(context, QUEUED, Task::SetMonitoring { enabled: true }, minutes_ago(1)).await;
    let import = ImportTask { place: place(), selector: ImportSelector::All, name: None };
    operation(context, IMPORT, Task::ImportWorkers(import), minutes_ago(1)).await;
}

/// A key of the user.
async fn signing_key(context: &Context) {
    let key = ApiKey {
        id: KEY.parse().unwrap(),
        name: "inventory".into(),
        kind: KeyKind::Signing,
        owner: "subject-of-user".into(),
        owner_username: "user".into(),
        role: Role::User,
        scopes: vec!["workers:read".parse().unwrap()],
        worker: None,
        created_at: minutes_ago(900),
        expires_at: None,
    };
    let secret = KeySecret::Signing(vec![SigningSecret { sealed: "sealed".into(), valid_until: None }]);
    assert!(context.store.save_api_key(&mut StoredKey { key, secret, version: 0 }).await.unwrap());
}

async fn running(context: &Context, cloud: &SimulatedCloud) {
    let place = place();
    let instance_id: InstanceId = cloud
        .seed_instance(SeedInstance {
            place: place.clone(),
            name: "lab-1".into(),
            instance_type: "m5zn.metal".into(),
            ami_id: None,
            tags: BTreeMap::from([(WORKER_TAG.into(), WORKER.into()), (MANAGED_TAG.into(), "true".into())]),
            running_since: Some(minutes_ago(58)),
        })
        .parse()
        .unwrap();
    let seen = cloud.describe(&place, &InstanceFilter::Ids(vec![instance_id.clone()])).await.unwrap();
    let facts = InstanceFacts::from(&seen[0]);
    let offer = Offer { instance_type: facts.instance_type.clone(), subnet_id: None };
    let events = vec![
        WorkerEvent::Created,
        WorkerEvent::LaunchIntended { number: 1, ami_id: facts.ami_id.clone(), offer },
        WorkerEvent::InstanceAttached(facts),
        status(WorkerStatus::Pending, WorkerStatus::Provisioning, None),
        status(WorkerStatus::Provisioning, WorkerStatus::Running, Some(minutes_ago(58))),
        WorkerEvent::CertificatePinned { sha256: CERTIFICATE.into() },
        WorkerEvent::ServiceChanged { from: ServiceStatus::Unavailable, to: ServiceStatus::Available },
    ];
    let worker = record(context, &draft(WORKER, "lab-1", minutes_ago(60)), events, Some(instance_id)).await;
    let (aws, cml) = readings();
    let (at, kept) = (minutes_ago(5), context.settings.sample_retention);
    context.store.add_reading(worker.id, at, kept, |_: &AwsReadings| aws.clone()).await.unwrap();
    context.store.add_reading(worker.id, at, kept, |_: &CmlReadings| cml.clone()).await.unwrap();
    let evidence = Evidence {
        read_at: cml.read_at,
        running_nodes: cml.cml.running_nodes,
        activity: cml.activity,
        ..Evidence::default()
    };
    let decision = decide(&worker, &evidence, &context.settings.power, at);
    let drift = drift(&worker, Some(&seen[0].tags), at);
    let known = conditions(&worker, &evidence, Some(true), &drift);
    let record = ReconcileRecord::default().for_wish(worker.wish.number).observed(&known, at).drifted(drift);
    let due =
        PowerDue { decided: Some((at, decision)), ..PowerDue::hurried(worker.id, None, now()).with_record(record) };
    context.store.save_power(&due).await.unwrap();
}

async fn record(context: &Context, draft: &Worker, events: Vec<WorkerEvent>, instance: Option<InstanceId>) -> Worker {
    let change = Change::of(draft, events, ada(), minutes_ago(50)).unwrap();
    let worker = change.worker.clone();
    let claim = instance.map(|instance| (worker.place.clone(), instance, worker.id));
    let commit = Commit { change: Some(change), claim, ..Commit::default() };
    context.store.commit(&commit, context.settings.operation_retention).await.unwrap();
    worker
}

async fn operation(context: &Context, id: &str, task: Task, at: Timestamp) -> Operation {
    let target = (Queue::of(&task) == Queue::Operations).then(|| worker_id(WORKER));
    let operation = Operation::new(id.parse().unwrap(), task, target, ada(), at);
    let commit = Commit { operation: Some(operation.clone()), ..Commit::default() };
    context.store.commit(&commit, context.settings.operation_retention).await.unwrap();
    operation
}

fn place() -> Place {
    Place { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn status(from: WorkerStatus, to: WorkerStatus, running_since: Option<Timestamp>) -> WorkerEvent {
    WorkerEvent::StatusChanged { from, to, detail: None, reason: None, running_since }
}

pub(crate) fn draft(id: &str, name: &str, created_at: Timestamp) -> Worker {
    Worker {
        id: worker_id(id),
        version: 0,
        name: name.into(),
        place: place(),
        spec: LaunchSpec { image: ImageChoice::Name("cml-2.9.*".into()), ..LaunchSpec::of_type("m5zn.metal") },
        imported: false,
        launch_number: 0,
        launch_ami_id: None,
        launch_offer: None,
        former_instance: None,
        launch_refused: false,
        instance: None,
        status: WorkerStatus::Pending,
        status_detail: None,
        desired: DesiredState::Running,
        state_reason: "Created by ada.".into(),
        service: ServiceStatus::Unavailable,
        status_since: created_at,
        wish: domain::worker::Wish::new(0, created_at),
        departure: None,
        running_since: None,
        ran_until: None,
        missing_since: None,
        cml_endpoint: None,
        cml_credentials_ref: None,
        certificate_sha256: None,
        owner: Some("ada".into()),
        tags: BTreeMap::from([("old".to_owned(), "yes".to_owned())]),
        idle_policy: IdlePolicy { enabled: true, timeout_minutes: Some(90) },
        created_at,
        updated_at: created_at,
    }
}

/// What EC2, CloudWatch and CML said five minutes ago.
fn readings() -> (AwsReadings, CmlReadings) {
    let at = Some(minutes_ago(5));
    let aws = AwsReadings {
        tried_at: at,
        ec2_at: at,
        ec2: Ec2Reading { instance_check: Some("ok".into()), system_check: Some("ok".into()) },
        cloudwatch_at: at,
        cloudwatch: CloudWatchReading {
            cpu_percent: Some(12.5),
            memory_percent: None,
            network_in_bytes: Some(300_000.0),
            network_out_bytes: Some(300_000.0),
        },
        ..AwsReadings::default()
    };
    let mut cml = quiet_reading("2.9.1+build.47".into());
    cml.uptime_secs = Some(3_180);
    cml.license = Some(LicenseReading {
        registration: Some("COMPLETED".into()),
        authorization: Some("IN_COMPLIANCE".into()),
        product: Some("CML_Enterprise".into()),
        expires_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
    });
    let activity = Activity {
        person_at: Some(minutes_ago(40)),
        person_did: Some("stop_lab".into()),
        nodes_ran_at: Some(minutes_ago(41)),
        high_water: Some(minutes_ago(40)),
    };
    (aws, CmlReadings { tried_at: at, read_at: at, cml, activity, ..CmlReadings::default() })
}
