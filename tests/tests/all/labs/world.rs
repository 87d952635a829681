//! Two workers that run, each with a simulated controller, and operations that go on as time passes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use app::message::{CollectLabs, Message, RunOperation};
use app::ports::{Clock, Cml, CmlTarget, Controllers as AtControllers, Ec2, Files, Outgoing, PortError, Queue, Queues};
use app::testing::{CountingRandom, ManualClock, MemoryTable};
use app::use_cases::collect_labs::collect_labs;
use app::use_cases::command::Asked;
use app::use_cases::controller::{CmlPorts, Way, reach};
use app::use_cases::dispatch_power::dispatch_power;
use app::use_cases::evidence::Ec2Ports;
use app::use_cases::run_cml_operation::run_cml_operation;
use app::{Context, Settings};
use async_trait::async_trait;
use cml::CmlClient;
use domain::operation::{Operation, OperationStatus};
use domain::session::Person;
use domain::worker::{Change, WorkerEvent, WorkerStatus};
use domain::{Actor, LabId, OperationId, Role, SignedDuration, Timestamp, WorkerId};
use local_controllers::{ControllerFault, Controllers, FaultOrder, RunningInstance};
use local_state::Documents;

use crate::handlers::world::{Kept, MemoryFiles, draft};

/// How far time goes on from one look at what is due to the next.
const TICK: SignedDuration = SignedDuration::from_secs(30);
/// Looks at what is due until an operation must have ended: an hour and a half.
const TICKS_AT_MOST: u32 = 180;

/// A small topology: two machines and a link between them, each with a configuration of its own.
pub(super) const TWO_NODES: &str = "
lab: {title: BGP basics, description: Two routers, notes: '', version: 0.3.0}
nodes:
  - id: n0
    label: r1
    node_definition: iosv
    x: -100
    y: 40
    configuration: |
      hostname r1
      interface Gi0/0
       ip address 10.0.0.1 255.255.255.0
    interfaces: [{id: i0, slot: 0, label: GigabitEthernet0/0, type: physical}]
  - id: n1
    label: host
    node_definition: alpine
    x: 100
    y: 40
    configuration: 'hostname host'
    interfaces: [{id: i0, slot: 0, label: eth0, type: physical}]
links:
  - {id: l0, n1: n0, i1: i0, n2: n1, i2: i0, label: r1-host}
";

pub(super) struct LabWorld {
    pub(super) ctx: Context,
    pub(super) clock: Arc<ManualClock>,
    pub(super) table: Arc<MemoryTable>,
    pub(super) queues: Arc<Post>,
    pub(super) controllers: Controllers,
    pub(super) client: Arc<CmlClient>,
    pub(super) secrets: Arc<Kept>,
    pub(super) files: Arc<ShakyFiles>,
    /// The workers, and the instance of each.
    pub(super) workers: [(WorkerId, String); 2],
}

impl LabWorld {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(choose: impl FnOnce(&mut Settings)) -> Self {
        crate::run_log::record();
        let clock = Arc::new(ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap()));
        let random = Arc::new(CountingRandom::default());
        let (table, queues) = (Arc::<MemoryTable>::default(), Arc::<Post>::default());
        let mut settings = Settings::new("123456789012".parse().unwrap());
        settings.allow_loopback_controllers = true;
        choose(&mut settings);
        let ctx = Context::new(table.clone(), queues.clone(), clock.clone(), clock.clone(), random.clone(), settings);
        let documents = Documents::in_memory().unwrap();
        let controllers = Controllers::new(documents, clock.clone(), clock.clone(), random);
        let instances = ["i-00000000000000001", "i-00000000000000002"];
        let running = instances.map(|id| RunningInstance {
            instance_id: id.into(),
            running_since: clock.now() - SignedDuration::from_mins(58),
            instance_type: "m5zn.metal".into(),
            vcpus: 48,
        });
        controllers.sync(&running).await;
        let client = Arc::new(CmlClient::new(clock.clone()));
        let mut workers = Vec::new();
        for (name, instance) in ["lab-1", "lab-2"].into_iter().zip(instances) {
            let url = controllers.access(instance).unwrap().url;
            workers.push((running_worker(&ctx, &client, name, url).await, instance.to_owned()));
        }
        let (secrets, files) = (Arc::<Kept>::default(), Arc::<ShakyFiles>::default());
        let workers = workers.try_into().unwrap();
        Self { ctx, clock, table, queues, controllers, client, secrets, files, workers }
    }

    pub(super) fn worker(&self, n: usize) -> WorkerId {
        self.workers[n].0
    }

    pub(super) fn ec2_ports<'a>(&'a self, ec2: &'a dyn Ec2) -> Ec2Ports<'a> {
        Ec2Ports { ec2, files: self.files.as_ref() }
    }

    pub(super) fn ports(&self) -> CmlPorts<'_> {
        CmlPorts { controllers: self.client.as_ref(), secrets: self.secrets.as_ref(), files: self.files.as_ref() }
    }

    /// Everything that can be asked of controllers.
    pub(super) fn at(&self) -> &dyn AtControllers {
        self.client.as_ref()
    }

    /// The way to a worker's controller.
    pub(super) async fn way(&self, n: usize) -> Way {
        let worker = self.ctx.store.worker(self.worker(n)).await.unwrap();
        reach(&self.ctx, self.secrets.as_ref(), &worker).await.unwrap().map_err(|no| no.message().to_owned()).unwrap()
    }

    /// Something goes wrong with the next request to that path of a worker's controller.
    pub(super) async fn fault(&self, n: usize, fault: ControllerFault, method: &str, path: &str) {
        self.order(n, FaultOrder::once(fault).at(method, path)).await;
    }

    pub(super) async fn order(&self, n: usize, order: FaultOrder) {
        self.controllers.inject_fault(&self.workers[n].1, order).await.unwrap();
    }

    /// A lab made at a worker's controller without us, and read into the table.
    pub(super) async fn lab(&self, n: usize, topology: &str) -> LabId {
        let way = self.way(n).await;
        let lab = self.at().import_lab(way.access(), topology, None).await.unwrap();
        self.read_labs(n).await;
        lab.id.parse().unwrap()
    }

    /// The same, with every node booted.
    pub(super) async fn booted_lab(&self, n: usize, topology: &str) -> LabId {
        let lab = self.lab(n, topology).await;
        let way = self.way(n).await;
        self.at().start_lab(way.access(), lab.as_str()).await.unwrap();
        for _ in 0..TICKS_AT_MOST {
            if self.at().lab_converged(way.access(), lab.as_str()).await.unwrap() {
                self.read_labs(n).await;
                return lab;
            }
            self.clock.advance(TICK);
        }
        panic!("its nodes never boot");
    }

    /// Reads a worker's labs, as the schedule does.
    pub(super) async fn read_labs(&self, n: usize) {
        let message = CollectLabs { worker_ids: vec![self.worker(n)] };
        collect_labs(&self.ctx, self.at(), self.secrets.as_ref(), &message).await.unwrap();
    }

    /// Time passes, and what is due is done. What fails stays due.
    pub(super) async fn tick(&self) {
        self.clock.advance(TICK);
        let _ = dispatch_power(&self.ctx).await;
        self.deliver().await;
    }

    /// What was sent is done.
    pub(super) async fn deliver(&self) {
        for (queue, body) in self.queues.take() {
            if queue == Queue::Labs {
                let message = CollectLabs::read(&body).unwrap();
                collect_labs(&self.ctx, self.at(), self.secrets.as_ref(), &message).await.unwrap();
            }
            if queue == Queue::CmlOperations {
                let id = RunOperation::read(&body).unwrap().operation_id;
                if let Err(error) = run_cml_operation(&self.ctx, self.ports(), id).await {
                    tracing::info!(%error, operation_id = %id, "an attempt failed");
                }
            }
        }
    }

    pub(super) async fn operation(&self, id: OperationId) -> Operation {
        self.ctx.store.operation(id).await.unwrap()
    }

    /// The operation, once it has ended.
    pub(super) async fn ended(&self, id: OperationId) -> Operation {
        self.deliver().await;
        for _ in 0..TICKS_AT_MOST {
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
}

/// Somebody of that role.
pub(super) fn person(role: Role, name: &str) -> Person {
    Person { subject: format!("{name}-1"), username: name.into(), role }
}

/// Asked by them.
pub(super) fn asked(person: &Person) -> Asked {
    Asked::by(Actor::User { subject: person.subject.clone(), username: person.username.clone() })
}

/// A worker that runs, whose controller an admin gave an address, and whose certificate is the recorded one.
async fn running_worker(ctx: &Context, client: &CmlClient, name: &str, url: String) -> WorkerId {
    let id = WorkerId::new(ctx.now(), ctx.random.next());
    let unpinned = CmlTarget { worker: id, endpoint: url.clone(), certificate_sha256: None };
    let sha256 = client.system_information(&unpinned).await.unwrap().certificate_sha256;
    let mut worker = draft(&id.to_string(), name, ctx.now());
    worker.cml_endpoint = Some(url);
    let status = |from, to, running_since: Option<Timestamp>| WorkerEvent::StatusChanged {
        from,
        to,
        detail: None,
        reason: None,
        running_since,
    };
    let events = vec![
        WorkerEvent::Created,
        status(WorkerStatus::Pending, WorkerStatus::Running, Some(ctx.now())),
        WorkerEvent::CertificatePinned { sha256 },
    ];
    let change = Change::of(&worker, events, Actor::Aws, ctx.now());
    let commit = app::store::Commit { change, ..app::store::Commit::default() };
    ctx.store.commit(&commit, ctx.settings.operation_retention).await.unwrap();
    id
}

/// What was sent and is not delivered yet.
#[derive(Default)]
pub(super) struct Post(Mutex<Vec<(Queue, String)>>);

impl Post {
    pub(super) fn take(&self) -> Vec<(Queue, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// To be delivered after all.
    pub(super) fn put_back(&self, messages: Vec<(Queue, String)>) {
        self.0.lock().unwrap().extend(messages);
    }
}

#[async_trait]
impl Queues for Post {
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError> {
        self.0.lock().unwrap().extend(messages.into_iter().map(|message| (queue, message.body)));
        Ok(())
    }
}

/// Files in memory, of which the next calls can be made to fail.
#[derive(Default)]
pub(crate) struct ShakyFiles {
    pub(crate) memory: MemoryFiles,
    /// So many puts fail and keep nothing.
    pub(crate) refuse_puts: AtomicU32,
    /// So many puts are done and say that they failed.
    pub(crate) lose_puts: AtomicU32,
    /// So many deletes fail and delete nothing.
    pub(crate) refuse_deletes: AtomicU32,
}

fn strikes(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Files for ShakyFiles {
    async fn put(&self, key: &str, content: &[u8]) -> Result<(), PortError> {
        if strikes(&self.refuse_puts) {
            return Err(PortError::new("files.put", "refused"));
        }
        self.memory.put(key, content).await?;
        if strikes(&self.lose_puts) { Err(PortError::new("files.put", "its answer was lost")) } else { Ok(()) }
    }

    async fn get(&self, key: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, PortError> {
        self.memory.get(key, max_bytes).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        if strikes(&self.refuse_deletes) {
            return Err(PortError::new("files.delete", "refused"));
        }
        self.memory.delete(key).await
    }
}
