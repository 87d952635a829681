//! The world behind the functions: everything they may reach, in memory, with a small fleet in it.

pub(super) mod browser;
mod seed;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use app::error::PortError;
use app::ports::{
    Cml, CmlCredentials, CmlError, CmlTarget, ControllerReading, FirstContact, Item, ItemKey, Outgoing, Page, Query,
    Queue, Queues, SealOnce, Sealer, Secrets, SystemInformation, Table, TableError, Write,
};
use app::testing::{CountingRandom, ManualClock, MemoryTable};
use app::{Context, Settings};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::metrics::CmlReading;
use domain::{Timestamp, WorkerId};
use functions::World;
use http_api::auth::Authenticator;
use local_region::{InstanceLoad, LoadSource, SimulatedCloud};
use local_state::Documents;

use super::tokens;
use crate::support::RecordingBus;

#[cfg(feature = "wire")]
pub(crate) use browser::{NONCE, SESSION};
pub(crate) use seed::TERMINATED;
pub(super) use seed::{IMPORT, OPERATION, QUEUED, WORKER};

/// What the log may hear, and no caller.
pub(super) const INTERNAL: &str = "db-17.internal.example:8000 refused the connection";
/// The certificate that the controller shows.
const CERTIFICATE: &str = "5f16b1a3c0e97d4428ba6d1e0c5593f7e2ab8046d19c37f5b0a4e86612d7c98b";

/// When it is: the same moment in every test.
pub(super) fn now() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// The world, with the handles that tests hold on to.
pub(super) struct TestWorld {
    pub(super) world: World,
    pub(super) cloud: SimulatedCloud,
    pub(super) table: Arc<TestTable>,
    pub(super) queues: Arc<Sent>,
    pub(super) secrets: Arc<Kept>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) issuer: Arc<browser::TestIssuer>,
    pub(super) bus: Arc<RecordingBus>,
}

impl TestWorld {
    pub(super) async fn new(choose: impl FnOnce(&mut Settings)) -> Self {
        crate::run_log::record();
        let clock = Arc::new(ManualClock::at(now()));
        let cloud = cloud(clock.clone());
        let (table, queues, secrets) = (Arc::<TestTable>::default(), Arc::<Sent>::default(), Arc::<Kept>::default());
        let bus = Arc::<RecordingBus>::default();
        let mut settings = Settings::new("123456789012".parse().unwrap());
        settings.public_url = Some(browser::PUBLIC_URL.parse().unwrap());
        choose(&mut settings);
        let random = Arc::new(CountingRandom::default());
        let context = Context::new(table.clone(), queues.clone(), clock.clone(), clock.clone(), random, settings);
        seed::fleet(&context, &cloud).await;
        browser::seed(&context, &Marked, now()).await;
        let issuer = Arc::new(browser::TestIssuer::new(clock.clone()));
        let world = World {
            context,
            auth: Arc::new(Authenticator::new(tokens::config(), Arc::new(tokens::Published), clock.clone())),
            ec2: Some(Arc::new(cloud.clone())),
            cloudwatch: Some(Arc::new(cloud.clone())),
            cml: Some(Arc::new(QuietController)),
            secrets: Some(secrets.clone()),
            sealer: Some(Arc::new(Marked)),
            identity: Some(issuer.clone()),
            events: Some(bus.clone()),
        };
        Self { world, cloud, table, queues, secrets, clock, issuer, bus }
    }
}

/// Puts the small fleet into another table, and what the fixtures of a browser name, as begun at `begun`.
#[cfg(feature = "wire")]
pub(crate) async fn fleet_in(table: Arc<dyn Table>, sealer: &dyn Sealer, begun: Timestamp) {
    let clock = Arc::new(ManualClock::at(now()));
    let (queues, random) = (Arc::<Sent>::default(), Arc::new(CountingRandom::default()));
    let settings = Settings::new("123456789012".parse().unwrap());
    let context = Context::new(table, queues, clock.clone(), clock.clone(), random, settings);
    seed::fleet(&context, &cloud(clock)).await;
    browser::seed(&context, sealer, begun).await;
}

fn cloud(clock: Arc<ManualClock>) -> SimulatedCloud {
    let random = Arc::new(CountingRandom::default());
    SimulatedCloud::open(Documents::in_memory().unwrap(), clock, random, Arc::new(SteadyLoad)).unwrap()
}

/// The table in memory; it can be made to fail.
#[derive(Default)]
pub(super) struct TestTable {
    memory: MemoryTable,
    down: AtomicBool,
}

impl TestTable {
    /// Everything in it.
    pub(super) fn items(&self) -> Vec<Item> {
        self.memory.items()
    }

    /// Lets so many further writes happen, and no more.
    pub(super) fn fail_writes_after(&self, writes: usize) {
        self.memory.fail_writes_after(writes);
    }

    /// From now on nothing can be read or written.
    pub(super) fn go_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), TableError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(TableError::Unavailable(PortError::new("dynamodb.Query", INTERNAL)));
        }
        Ok(())
    }
}

#[async_trait]
impl Table for TestTable {
    async fn get(&self, key: &ItemKey) -> Result<Option<Item>, TableError> {
        self.check()?;
        self.memory.get(key).await
    }

    async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Item>, TableError> {
        self.check()?;
        self.memory.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.check()?;
        self.memory.query(query).await
    }

    async fn write(&self, write: Write) -> Result<(), TableError> {
        self.check()?;
        self.memory.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.check()?;
        self.memory.transact(writes).await
    }
}

/// Queues that only remember what was sent.
#[derive(Default)]
pub(super) struct Sent(Mutex<Vec<(Queue, String)>>);

impl Sent {
    /// The bodies sent to a queue.
    pub(super) fn to(&self, queue: Queue) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|(to, _)| *to == queue).map(|(_, body)| body.clone()).collect()
    }
}

#[async_trait]
impl Queues for Sent {
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError> {
        self.0.lock().unwrap().extend(messages.into_iter().map(|message| (queue, message.body)));
        Ok(())
    }
}

/// Secrets in memory.
pub(super) struct Kept(Mutex<BTreeMap<String, CmlCredentials>>);

impl Default for Kept {
    fn default() -> Self {
        let fleet = CmlCredentials { username: "ccm".into(), password: "of-the-fleet".into() };
        Self(Mutex::new(BTreeMap::from([("fleet".to_owned(), fleet)])))
    }
}

#[async_trait]
impl Secrets for Kept {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlCredentials>, PortError> {
        Ok(self.0.lock().unwrap().get(reference).cloned())
    }

    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError> {
        self.0.lock().unwrap().insert(reference.to_owned(), credentials.clone());
        Ok(())
    }
}

/// Seals that anybody could break, but that hold what is sealed to its place.
struct Marked;

#[async_trait]
impl Sealer for Marked {
    async fn sealing(&self, context: &str) -> Result<SealOnce, PortError> {
        let context = context.to_owned();
        Ok(Box::new(move |text| Ok(STANDARD.encode(format!("{context}|{text}")))))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError> {
        let bytes = STANDARD.decode(sealed).unwrap();
        let place = format!("{context}|");
        let opened = std::str::from_utf8(&bytes).unwrap().strip_prefix(&place).map(str::to_owned);
        opened.ok_or_else(|| PortError::new("test.open", "sealed for another place"))
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

/// A controller that is ready, and on which nobody does anything.
struct QuietController;

#[async_trait]
impl Cml for QuietController {
    async fn system_information(&self, _: &CmlTarget) -> Result<FirstContact, CmlError> {
        let information = SystemInformation { version: "2.9.1+build.47".into(), ready: true };
        Ok(FirstContact { information, certificate_sha256: CERTIFICATE.into() })
    }

    async fn read(
        &self,
        _: &CmlTarget,
        _: &CmlCredentials,
        information: &SystemInformation,
        _: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError> {
        let cml = quiet_reading(information.version.clone());
        Ok(ControllerReading { cml, telemetry: Some(vec![]), our_user_id: None, errors: vec![] })
    }
}

/// An id that is in its text form everywhere but here.
pub(super) fn worker_id(text: &str) -> WorkerId {
    text.parse().unwrap()
}

/// A reading of a controller with three labs, none of which runs.
fn quiet_reading(version: String) -> CmlReading {
    CmlReading {
        version: Some(version),
        ready: true,
        labs: Some(3),
        running_nodes: Some(0),
        total_nodes: Some(14),
        cpu_percent: Some(2.5),
        memory_percent: Some(9.0),
        disk_percent: Some(31.0),
        allocated_cpus: Some(0),
        healthy: Some(true),
        ..CmlReading::default()
    }
}
