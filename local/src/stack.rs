//! The stack, put together.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::ports::{Clock, Events, Random, Sealer};
use app::settings::FLEET_CREDENTIALS_REF;
use app::{Context, Settings};
use aws::DynamoTable;
use functions::{OsRandom, SystemClock, World};
use local_controllers::{Controllers, POLLER_PASSWORD, POLLER_USERNAME};
use local_region::{InstanceLoad, LoadSource, SimulatedCloud};
use local_state::Documents;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backend::{Backend, Cloud, TABLE_NAME};
use crate::bus::EmbeddedBus;
use crate::clock::FleetClock;
use crate::demo::Demo;
use crate::dynamo::Trimmer;
use crate::error::StackError;
use crate::files::LocalFiles;
use crate::gateway::Gateway;
use crate::invoke::Invoker;
use crate::levers::{self, Levers};
use crate::oidc::Issuer;
use crate::options::{self, Options};
use crate::pump::{Parts, Pump};
use crate::queues::DurableQueues;
use crate::routed_cml::routed;
use crate::sealer::LocalSealer;
use crate::secrets::LocalSecrets;
use crate::sign_in::SignIn;
use crate::stream::TableStream;
use crate::{backend_aws, cloud_aws, dynamo};
use cml::CmlClient;

/// The account that the simulated world belongs to.
pub const ACCOUNT: &str = "123456789012";
/// How long connections may take to end when the stack stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole product, running. Dropped, it stops at once; [`Stack::shutdown`] lets it finish.
pub struct Stack {
    address: SocketAddr,
    fleet: Arc<FleetClock>,
    controllers: Controllers,
    pump: Pump,
    servers: JoinSet<()>,
    stop: watch::Sender<bool>,
    // Last: nobody else may use the data before everything above has ended.
    _lock: File,
}

/// What the simulated world stands on.
struct Ground {
    documents: Documents,
    machine: Arc<dyn Clock>,
    fleet: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    sealer: Arc<dyn Sealer>,
}

impl Stack {
    /// Starts it; it answers when this returns.
    ///
    /// # Errors
    /// The port or the data directory cannot be had, or what is kept there cannot be read.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        private_folder(&options.data_dir)?;
        let lock = lock(&options.data_dir)?;
        let documents = Documents::open(&options.data_dir.join("state.sqlite"))?;
        let machine: Arc<dyn Clock> = Arc::new(SystemClock);
        let fleet_clock = Arc::new(FleetClock::open(documents.clone(), machine.clone(), options.speed)?);
        let sealer = Arc::new(LocalSealer::open(&options.data_dir.join("sealing-key"))?);
        let ground = Ground { documents, machine, fleet: fleet_clock.clone(), random: Arc::new(OsRandom), sealer };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .await
            .map_err(|source| StackError::Port { port: options.port, source })?;
        let address = listener.local_addr()?;

        let ((stop, stopped), mut servers) = (watch::channel(false), JoinSet::new());
        let backend = match options.backend {
            options::Backend::Embedded => embedded(&ground, &options, &mut servers, &stopped).await?,
            options::Backend::Aws => backend_aws::open(&ground.documents).await?,
        };
        let (cloud, controllers) = ground.simulated_world()?;
        let sign_in = ground.sign_in(&options, address).await?;
        let context = ground.context(&backend, settings(&options, address)?);
        let settings = context.settings.clone();
        let ports = match options.cloud {
            options::Cloud::Simulated => Cloud { ec2: Arc::new(cloud.clone()), cloudwatch: Arc::new(cloud.clone()) },
            options::Cloud::Aws => cloud_aws::open(&settings.home_account).await?,
        };
        let cml = routed(CmlClient::new(ground.machine.clone()), cloud.clone(), controllers.clone());
        let cml = Arc::new(cml);
        let files = LocalFiles::new(options.data_dir.join("files"));
        let invoker = invoker(ground.world(context, &sign_in, ports, cml, files, backend.events)?);

        let gateway = Gateway::new(invoker.clone(), ground.machine.clone(), ground.random.clone(), ACCOUNT.into());
        let levers = Levers { cloud: cloud.clone(), controllers: controllers.clone(), embedded: backend.embedded };
        let router = levers::router(levers, sign_in.development.as_ref(), address).merge(gateway.clone().router());
        serve(listener, router, &mut servers, stopped.clone());
        let parts = Parts {
            invoker,
            source: backend.source,
            stream: backend.stream,
            cloud: cloud.clone(),
            controllers: controllers.clone(),
            fleet: ground.fleet.clone(),
            machine: ground.machine.clone(),
            random: ground.random.clone(),
            settings,
        };
        let pump = Pump::start(&parts, &stopped);
        let stack = Self { address, fleet: fleet_clock, controllers, pump, servers, stop, _lock: lock };
        let Some(issuer) = &sign_in.development else { return Ok(stack) };
        let demo = Demo {
            documents: &ground.documents,
            cloud: &cloud,
            controllers: &stack.controllers,
            fleet: &ground.fleet,
            gateway: &gateway,
            issuer,
            account: ACCOUNT,
        };
        // Its instances are of the simulated region.
        Box::pin(demo.set_up(!options.empty && options.cloud == options::Cloud::Simulated)).await?;
        Ok(stack)
    }

    /// Where it answers: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it in order: nothing new is taken, what is under way ends, all is kept.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        self.pump.stopped().await;
        let ended = tokio::time::timeout(PATIENCE, async { while self.servers.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("connections were still open");
        }
        self.controllers.shutdown().await;
        if let Err(error) = self.fleet.settle() {
            tracing::warn!(%error, "the fleet clock could not be settled; it leaps a little at the next start");
        }
    }
}

/// The data directory. It holds the signing key and CML passwords, so nobody else may look into it.
fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// One stack at a time on one data directory; the lock goes with the process, however it ends.
fn lock(data_dir: &Path) -> Result<File, StackError> {
    let file = File::options().create(true).truncate(false).write(true).open(data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StackError::InUse(data_dir.display().to_string())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn settings(options: &Options, address: SocketAddr) -> Result<Settings, StackError> {
    let wrong = |error: domain::InvalidField| StackError::Start(error.to_string());
    let mut settings = Settings::new(ACCOUNT.parse().map_err(wrong)?);
    settings.public_url = Some(format!("http://{address}").parse().map_err(wrong)?);
    settings.default_ami_name = "cml-2.*".into();
    settings.safe_mode = options.safe_mode;
    settings.allow_loopback_controllers = true;
    Ok(settings)
}

async fn embedded(
    ground: &Ground,
    options: &Options,
    servers: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> Result<Backend, StackError> {
    let file = options.data_dir.join("table.sqlite");
    let address = dynamo::serve(&file, servers, stopped.clone()).await?;
    let config = aws::sdk_config_for(&format!("http://{address}"));
    let client = aws_sdk_dynamodb::Client::new(&config);
    aws::create_table(&client, TABLE_NAME).await?;
    let queues = DurableQueues::open(ground.documents.clone(), ground.machine.clone(), ground.random.clone())?;
    let bus = EmbeddedBus::open(ground.documents.clone())?;
    let streams = aws_sdk_dynamodbstreams::Client::new(&config);
    let trimmer = Trimmer::open(&file)?;
    Ok(Backend {
        table: Arc::new(DynamoTable::new(client, TABLE_NAME)),
        queues: Arc::new(queues.clone()),
        source: Arc::new(queues.clone()),
        stream: Arc::new(TableStream::new(streams, TABLE_NAME, ground.documents.clone(), Some(trimmer))),
        events: Arc::new(bus.clone()),
        embedded: Some((queues, bus)),
    })
}

/// CloudWatch's numbers follow what the controllers do.
struct ControllerLoad(Controllers);

impl LoadSource for ControllerLoad {
    fn load(&self, instance_id: &str) -> InstanceLoad {
        let load = self.0.load(instance_id);
        InstanceLoad {
            running_nodes: load.running_nodes,
            cpu_percent: load.cpu_percent,
            memory_percent: Some(load.memory_percent),
            network_bytes_per_second: load.network_bytes_per_second,
        }
    }
}

impl Ground {
    /// Where people sign in.
    async fn sign_in(&self, options: &Options, address: SocketAddr) -> Result<SignIn, StackError> {
        let machine = self.machine.clone();
        if let Some(issuer) = &options.issuer {
            return SignIn::at(issuer, &options.client_id, machine).await;
        }
        let base_url = format!("http://{address}");
        let issuer = Issuer::open(&base_url, &self.documents, machine.clone(), self.random.clone())?;
        SignIn::development(issuer, machine)
    }

    fn simulated_world(&self) -> Result<(SimulatedCloud, Controllers), StackError> {
        let controllers =
            Controllers::new(self.documents.clone(), self.fleet.clone(), self.machine.clone(), self.random.clone());
        let load = Arc::new(ControllerLoad(controllers.clone()));
        let cloud = SimulatedCloud::open(self.documents.clone(), self.fleet.clone(), self.random.clone(), load)?;
        Ok((cloud, controllers))
    }

    fn context(&self, backend: &Backend, settings: Settings) -> Context {
        let (fleet, machine, random) = (self.fleet.clone(), self.machine.clone(), self.random.clone());
        Context::new(backend.table.clone(), backend.queues.clone(), fleet, machine, random, settings)
    }

    fn world(
        &self,
        context: Context,
        sign_in: &SignIn,
        cloud: Cloud,
        cml: Arc<CmlClient>,
        files: LocalFiles,
        events: Arc<dyn Events>,
    ) -> Result<World, StackError> {
        let secrets = LocalSecrets::new(self.documents.clone());
        secrets.seed(FLEET_CREDENTIALS_REF, POLLER_USERNAME, POLLER_PASSWORD)?;
        let auth = Arc::new(sign_in.authenticator(&context.store));
        Ok(World {
            context,
            auth,
            ec2: Some(cloud.ec2),
            cloudwatch: Some(cloud.cloudwatch),
            cml: Some(cml.clone()),
            controllers: Some(cml),
            files: Some(Arc::new(files)),
            secrets: Some(Arc::new(secrets)),
            sealer: Some(self.sealer.clone()),
            identity: Some(sign_in.client.clone()),
            events: Some(events),
        })
    }
}

fn invoker(world: World) -> Invoker {
    let world = Arc::new(world);
    Invoker::new(move |function, event| {
        let world = world.clone();
        Box::pin(async move { functions::invoke(function, &world, event).await.map_err(|error| error.to_string()) })
    })
}

fn serve(listener: TcpListener, router: axum::Router, servers: &mut JoinSet<()>, mut stopped: watch::Receiver<bool>) {
    servers.spawn(async move {
        let stopped = async move {
            // An error says that the stack was dropped.
            let _ended = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the gateway ended");
        }
    });
}

#[cfg(test)]
mod tests;
