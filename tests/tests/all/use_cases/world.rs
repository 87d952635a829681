//! A small world: the use cases, driven minute by minute as schedules, events and queues drive them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use app::message::{CollectAws, CollectCml, ControlPower, DiscoverInstances, Message, RunOperation};
use app::ports::{Clock, Queue};
use app::testing::{CountingRandom, ManualClock};
use app::use_cases::collect_aws::collect_aws;
use app::use_cases::collect_cml::collect_cml;
use app::use_cases::command::{Asked, IdempotencyKey};
use app::use_cases::control_power::Judgement;
use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::discover_instances::discover_instances;
use app::use_cases::dispatch_metrics::dispatch_metrics;
use app::use_cases::dispatch_power::dispatch_power;
use app::use_cases::evidence::Ec2Ports;
use app::use_cases::record_instance_state::record_instance_state;
use app::use_cases::run_operation::{run_import, run_operation};
use app::{AppError, Context, Settings};
use domain::metrics::ServiceStatus;
use domain::operation::{Operation, OperationStatus};
use domain::worker::{DesiredState, LaunchSpec, Worker};
use domain::{Actor, OperationId, Place, SignedDuration, Timestamp, WorkerId};
use local_region::{Fault, InstanceLoad, LoadSource, SeedInstance, SimulatedCloud};
use local_state::Documents;

use super::ec2_view::Ec2View;
use super::fake_cml::{FakeCml, FleetSecret};
use super::mailbox::Mailbox;
use super::test_table::TestTable;
use crate::labs::world::ShakyFiles;

/// Minutes that anything may take that is waited for.
const MINUTES_AT_MOST: u32 = 150;
/// Deliveries of a message before it is given up.
const RECEIVES: u32 = 3;

pub(super) struct World {
    pub(super) ctx: Context,
    pub(super) clock: Arc<ManualClock>,
    pub(super) cloud: SimulatedCloud,
    pub(super) ec2: Ec2View,
    pub(super) files: ShakyFiles,
    pub(super) table: Arc<TestTable>,
    pub(super) queue: Arc<Mailbox>,
    pub(super) cml: FakeCml,
    metrics_due: Mutex<Timestamp>,
    /// Failed messages, with how often they were received.
    failed: Mutex<Vec<(Queue, String, u32)>>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(choose: impl FnOnce(&mut Settings)) -> Self {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let random = Arc::new(CountingRandom::default());
        let documents = Documents::in_memory().unwrap();
        let cloud = SimulatedCloud::open(documents, clock.clone(), random.clone(), Arc::new(SteadyLoad)).unwrap();
        let (table, queue) = (Arc::<TestTable>::default(), Arc::<Mailbox>::default());
        let mut settings = Settings::new("123456789012".parse().unwrap());
        settings.default_instance_type = "c5.2xlarge".into();
        // Nothing here is done at controllers.
        settings.power.notice_ahead = SignedDuration::ZERO;
        choose(&mut settings);
        let ctx = Context::new(table.clone(), queue.clone(), clock.clone(), clock.clone(), random, settings);
        let ec2 = Ec2View::of(cloud.clone());
        let (metrics_due, failed) = (Mutex::new(start), Mutex::default());
        let (cml, files) = (FakeCml::default(), ShakyFiles::default());
        Self { ctx, clock, cloud, ec2, files, table, queue, cml, metrics_due, failed }
    }

    pub(super) fn ports(&self) -> Ec2Ports<'_> {
        Ec2Ports { ec2: &self.ec2, files: &self.files }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// A minute passes, with everything that fires in it.
    pub(super) async fn tick(&self) {
        self.pass(60);
        self.deliver_events().await;
        let now = self.now();
        if now >= *self.metrics_due.lock().unwrap() {
            *self.metrics_due.lock().unwrap() = now + self.ctx.settings.power.metrics_interval;
            dispatch_metrics(&self.ctx).await.unwrap();
        }
        // A tick that fails is only a tick late.
        let _ = dispatch_power(&self.ctx).await;
        self.deliver().await;
    }

    pub(super) async fn ticks(&self, minutes: u32) {
        for _ in 0..minutes {
            self.tick().await;
        }
    }

    /// EC2's notifications, to record-instance-state.
    pub(super) async fn deliver_events(&self) {
        for event in self.cloud.advance() {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let place = place(&text(&event["account"]), &text(&event["region"]));
            let instance = text(&event["detail"]["instance-id"]).parse().unwrap();
            match record_instance_state(&self.ctx, &self.ec2, &place, &instance).await {
                Ok(()) | Err(AppError::NotFound { .. } | AppError::Ec2(_)) => {}
                Err(error) => panic!("an event failed: {error}"),
            }
        }
    }

    /// Everything that waits in the queues and what comes of it; what fails is delivered again a minute later.
    pub(super) async fn deliver(&self) {
        let mut receives: BTreeMap<(Queue, String), u32> = BTreeMap::new();
        for (queue, body, times) in std::mem::take(&mut *self.failed.lock().unwrap()) {
            receives.insert((queue, body.clone()), times);
            self.queue.put_back(vec![(queue, body)]);
        }
        for _ in 0..100 {
            let messages = self.queue.take();
            if messages.is_empty() {
                return;
            }
            let (power, others): (Vec<_>, Vec<_>) = messages.into_iter().partition(|(queue, _)| *queue == Queue::Power);
            for (queue, body) in others {
                if self.consume(queue, &body).await.is_err() {
                    self.fail(&mut receives, queue, body);
                }
            }
            for batch in power.chunks(10) {
                self.control(batch, &mut receives).await;
            }
        }
        panic!("messages make ever more messages");
    }

    async fn consume(&self, queue: Queue, body: &str) -> Result<(), AppError> {
        match queue {
            Queue::Operations => {
                run_operation(&self.ctx, self.ports(), RunOperation::read(body).unwrap().operation_id).await
            }
            Queue::Imports => run_import(&self.ctx, &self.ec2, RunOperation::read(body).unwrap().operation_id).await,
            Queue::MetricsAws => collect_aws(&self.ctx, &self.ec2, &self.cloud, &CollectAws::read(body).unwrap()).await,
            Queue::MetricsCml => {
                collect_cml(&self.ctx, &self.cml, &FleetSecret, &CollectCml::read(body).unwrap()).await
            }
            Queue::Discovery => {
                discover_instances(&self.ctx, &self.ec2, &DiscoverInstances::read(body).unwrap().place).await
            }
            // Nothing here is done at controllers: what is asked of one stays under way, and no labs are on them.
            Queue::CmlOperations | Queue::Labs => Ok(()),
            Queue::Power => unreachable!("it is consumed in batches"),
        }
    }

    async fn control(&self, batch: &[(Queue, String)], receives: &mut BTreeMap<(Queue, String), u32>) {
        let mut ids: Vec<_> = batch.iter().map(|(_, body)| ControlPower::read(body).unwrap().worker_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let judgement = Judgement::look(&self.ctx, self.ports(), &ids).await;
        for id in ids {
            let judged = match &judgement {
                Ok(judgement) => judgement.judge(id).await.is_ok(),
                Err(_) => false,
            };
            if !judged {
                self.fail(receives, Queue::Power, ControlPower { worker_id: id }.body());
            }
        }
    }

    fn fail(&self, receives: &mut BTreeMap<(Queue, String), u32>, queue: Queue, body: String) {
        let times = receives.get(&(queue, body.clone())).copied().unwrap_or(0) + 1;
        if times < RECEIVES {
            self.failed.lock().unwrap().push((queue, body, times));
        }
    }

    /// Runs one operation, as its message would.
    pub(super) async fn run(&self, id: OperationId) -> Result<(), AppError> {
        match Queue::of(&self.operation(id).await.task) {
            Queue::Imports => run_import(&self.ctx, &self.ec2, id).await,
            _ => run_operation(&self.ctx, self.ports(), id).await,
        }
    }

    pub(super) async fn create(&self, name: &str) -> Operation {
        create_worker(&self.ctx, &asked(), new_worker(name)).await.unwrap()
    }

    /// A worker whose instance runs.
    pub(super) async fn running_worker(&self, name: &str) -> WorkerId {
        let operation = self.create(name).await;
        self.succeeded(operation.id).await;
        operation.target.unwrap()
    }

    /// A worker that can be used.
    pub(super) async fn ready_worker(&self, name: &str) -> WorkerId {
        let id = self.running_worker(name).await;
        self.until(id, |worker| worker.service == ServiceStatus::Available).await;
        id
    }

    /// The operation, once it has ended.
    pub(super) async fn ended(&self, id: OperationId) -> Operation {
        for _ in 0..MINUTES_AT_MOST {
            let operation = self.operation(id).await;
            if operation.status.is_final() {
                return operation;
            }
            self.tick().await;
        }
        panic!("it never ends: {:?}", self.operation(id).await);
    }

    pub(super) async fn succeeded(&self, id: OperationId) -> Operation {
        let operation = self.ended(id).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:?}");
        operation
    }

    /// The code and the message with which it failed.
    pub(super) async fn failed(&self, id: OperationId) -> (String, String) {
        let operation = self.ended(id).await;
        assert_eq!(operation.status, OperationStatus::Failed, "{operation:?}");
        let error = operation.error.unwrap();
        (error.code, error.message)
    }

    /// The worker, once it is so.
    pub(super) async fn until(&self, id: WorkerId, so: impl Fn(&Worker) -> bool) -> Worker {
        for _ in 0..MINUTES_AT_MOST {
            let worker = self.worker(id).await;
            if so(&worker) {
                return worker;
            }
            self.tick().await;
        }
        panic!("it never comes so far: {:?}", self.worker(id).await);
    }

    pub(super) async fn worker(&self, id: WorkerId) -> Worker {
        self.ctx.store.worker(id).await.unwrap()
    }

    pub(super) async fn operation(&self, id: OperationId) -> Operation {
        self.ctx.store.operation(id).await.unwrap()
    }

    /// Why the power decision that stands is what it is.
    pub(super) async fn power_reason(&self, id: WorkerId) -> String {
        self.ctx.store.power(id).await.unwrap().unwrap().decided.unwrap().1.reason
    }

    /// EC2's words for the states of the worker's instances, all that are listed.
    pub(super) fn instance_states(&self, id: WorkerId) -> Vec<String> {
        let id = id.to_string();
        let ours = self.cloud.instances().into_iter().filter(|one| one.worker_id.as_ref() == Some(&id));
        ours.map(|one| one.state).collect()
    }

    /// The id of the worker's instance.
    pub(super) async fn instance(&self, id: WorkerId) -> String {
        self.worker(id).await.instance.unwrap().id.to_string()
    }

    /// How often an API call was made.
    pub(super) fn calls(&self, name: &str) -> u64 {
        self.cloud.calls().get(name).copied().unwrap_or(0)
    }

    pub(super) fn fault(&self, call: &str, error: &str, count: u32) {
        self.cloud.inject_fault(Fault { call: call.into(), error: error.into(), count });
    }

    /// An instance that nobody here made; running since an hour, or stopped.
    pub(super) fn seed(&self, name: &str, ami_id: Option<&str>, runs: bool) -> String {
        self.cloud.seed_instance(SeedInstance {
            place: home(),
            name: name.into(),
            instance_type: "c5.2xlarge".into(),
            ami_id: ami_id.map(Into::into),
            tags: BTreeMap::from([("team".to_owned(), "networks".to_owned())]),
            running_since: runs.then(|| self.now() - SignedDuration::from_hours(1)),
        })
    }
}

/// Software that uses every machine the same.
struct SteadyLoad;

impl LoadSource for SteadyLoad {
    fn load(&self, _: &str) -> InstanceLoad {
        InstanceLoad {
            running_nodes: 0,
            cpu_percent: 12.5,
            memory_percent: Some(40.0),
            network_bytes_per_second: 2_000.0,
        }
    }
}

pub(super) fn alice() -> Actor {
    Actor::User { subject: "alice-1".into(), username: "alice".into() }
}

pub(super) fn asked() -> Asked {
    Asked::by(alice())
}

pub(super) fn keyed(key: &str, body: &str) -> Asked {
    Asked { key: Some(IdempotencyKey::new("alice-1", "create-worker", key, body.as_bytes())), ..asked() }
}

pub(super) fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

pub(super) fn home() -> Place {
    place("123456789012", "us-east-1")
}

pub(crate) fn new_worker(name: &str) -> NewWorker {
    NewWorker {
        name: name.into(),
        region: "us-east-1".into(),
        account_id: None,
        spec: LaunchSpec::of_type(""),
        takes_fleets_types: true,
        owner: None,
        tags: BTreeMap::new(),
        desired: DesiredState::Running,
        idle_timeout_minutes: None,
        cml_endpoint: None,
        cml_credentials_ref: None,
    }
}
