//! The world behind the functions: everything they may reach, in memory, with a small fleet in it.

pub(super) mod browser;
pub(crate) mod labs;
mod seed;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use app::ports::{
    Cml, CmlCredentials, CmlError, CmlLogins, CmlTarget, ControllerReading, Files, FirstContact, Item, ItemKey,
    LicenseToken, Outgoing, Page, PortError, Query, Queue, Queues, SealOnce, Sealer, Secrets, SystemInformation, Table,
    TableError, Write,
};
use app::testing::{CountingRandom, ManualClock, MemoryTable};
use app::{Context, Settings};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cml::CmlClient;
use domain::metrics::CmlReading;
use domain::{SignedDuration, Timestamp, WorkerId};
use functions::World;
use http_api::token::Authenticator;
use local_controllers::{Controllers, POLLER_PASSWORD, POLLER_USERNAME, RunningInstance};
use local_region::{InstanceLoad, LoadSource, SimulatedCloud};
use local_state::Documents;

use super::tokens;
use crate::support::RecordingBus;

#[cfg(feature = "wire")]
pub(crate) use browser::{NONCE, SESSION};
pub(super) use seed::{IMPORT, OPERATION, QUEUED, WORKER};
pub(crate) use seed::{TERMINATED, draft};

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
    /// The controller of the worker that runs, over TLS on loopback.
    pub(super) controllers: Controllers,
    pub(super) files: Arc<MemoryFiles>,
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
        let (controllers, instance) = controllers(&cloud, &clock).await;
        let files = Arc::<MemoryFiles>::default();
        files.put(&labs::file_key(), labs::TOPOLOGY.as_bytes()).await.unwrap();
        files.put(&labs::evidence_key(), labs::CONSOLE.as_bytes()).await.unwrap();
        let issuer = Arc::new(browser::TestIssuer::new(clock.clone()));
        let world = World {
            context,
            auth: Arc::new(Authenticator::new(tokens::config(), Arc::new(tokens::Published), clock.clone())),
            ec2: Some(Arc::new(cloud.clone())),
            cloudwatch: Some(Arc::new(cloud.clone())),
            cml: Some(Arc::new(QuietController)),
            controllers: Some(Arc::new(client(&controllers, &instance, &clock).await)),
            files: Some(files.clone()),
            secrets: Some(secrets.clone()),
            sealer: Some(Arc::new(Marked)),
            identity: Some(issuer.clone()),
            events: Some(bus.clone()),
        };
        Self { world, cloud, table, queues, secrets, clock, issuer, bus, controllers, files }
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

pub(crate) fn cloud(clock: Arc<ManualClock>) -> SimulatedCloud {
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
pub(crate) struct Kept {
    logins: Mutex<BTreeMap<String, CmlLogins>>,
    tokens: Mutex<BTreeMap<String, LicenseToken>>,
}

impl Default for Kept {
    fn default() -> Self {
        let fleet = CmlCredentials { username: POLLER_USERNAME.into(), password: POLLER_PASSWORD.into() };
        Self { logins: Mutex::new(BTreeMap::from([("fleet".to_owned(), fleet.into())])), tokens: Mutex::default() }
    }
}

impl Kept {
    /// The references of the tokens that are kept.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl Secrets for Kept {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlLogins>, PortError> {
        Ok(self.logins.lock().unwrap().get(reference).cloned())
    }

    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError> {
        let mut logins = self.logins.lock().unwrap();
        if logins.get(reference).is_some_and(|set| set.current == *credentials) {
            return Ok(());
        }
        let previous = logins.remove(reference).map(|before| before.current);
        logins.insert(reference.to_owned(), CmlLogins { current: credentials.clone(), previous });
        Ok(())
    }

    async fn put_token(&self, reference: &str, token: &LicenseToken) -> Result<(), PortError> {
        self.tokens.lock().unwrap().insert(reference.to_owned(), token.clone());
        Ok(())
    }

    async fn token(&self, reference: &str) -> Result<Option<LicenseToken>, PortError> {
        Ok(self.tokens.lock().unwrap().get(reference).cloned())
    }

    async fn delete_token(&self, reference: &str) -> Result<(), PortError> {
        self.tokens.lock().unwrap().remove(reference);
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

/// The controller of the one instance that runs, long booted; and that instance.
async fn controllers(cloud: &SimulatedCloud, clock: &Arc<ManualClock>) -> (Controllers, String) {
    let random = Arc::new(labs::LabRandom::default());
    let controllers = Controllers::new(Documents::in_memory().unwrap(), clock.clone(), clock.clone(), random);
    let running = cloud.running().remove(0);
    let instance = RunningInstance {
        instance_id: running.instance_id.clone(),
        running_since: now() - SignedDuration::from_mins(58),
        instance_type: "m5zn.metal".into(),
        vcpus: 48,
    };
    controllers.sync(&[instance]).await;
    let lab = controllers.seed_lab(&running.instance_id, "BGP basics", 2, false).unwrap();
    assert_eq!(lab, labs::LAB, "the lab that the table has");
    (controllers, running.instance_id)
}

/// The real client, on a network where every address is that controller's, and its certificate the recorded one.
async fn client(controllers: &Controllers, instance: &str, clock: &Arc<ManualClock>) -> CmlClient {
    let endpoint = controllers.access(instance).unwrap().url;
    let unpinned = CmlTarget { worker: worker_id(WORKER), endpoint: endpoint.clone(), certificate_sha256: None };
    let shown = CmlClient::new(clock.clone()).system_information(&unpinned).await.unwrap().certificate_sha256;
    CmlClient::new(clock.clone()).routed(move |target| {
        let (endpoint, certificate_sha256) = (endpoint.clone(), Some(shown.clone()));
        Ok(CmlTarget { endpoint, certificate_sha256, ..target.clone() })
    })
}

/// Files in memory.
#[derive(Default)]
pub(crate) struct MemoryFiles(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryFiles {
    /// What is kept, by key.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Files for MemoryFiles {
    async fn put(&self, key: &str, content: &[u8]) -> Result<(), PortError> {
        self.0.lock().unwrap().insert(key.to_owned(), content.to_vec());
        Ok(())
    }

    async fn get(&self, key: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, PortError> {
        let content = self.0.lock().unwrap().get(key).cloned();
        match content {
            Some(content) if content.len() > max_bytes => Err(PortError::new("files.get", "too large")),
            content => Ok(content),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.0.lock().unwrap().remove(key);
        Ok(())
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
        _: &CmlLogins,
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
