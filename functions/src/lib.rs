//! The Lambda border: an event in, an answer out, both JSON. The binaries hold one zone each and
//! choose their function by Lambda's `Handler` setting; the local stack calls the same [`invoke`].

mod api;
mod cml;
mod deadline;
pub mod environment;
mod fleet;
mod http_event;
mod https;
mod jwks;
mod oidc;
mod queue_event;
mod runtime;
mod system;

use std::sync::Arc;
use std::time::Duration;

use app::Context;
use app::ports::{CloudWatch, Cml, Controllers, Ec2, Events, Files, IdentityProvider, Sealer, Secrets};
use app::use_cases::controller::CmlPorts;
use app::use_cases::evidence::Ec2Ports;
use http_api::token::Authenticator;
use http_api::{Function, Trigger};
use serde_json::Value;

use deadline::Deadline;

pub use https::IssuerHttp;
pub use jwks::HttpKeys;
pub use oidc::{OidcClient, OidcConfig};
pub use runtime::run;
pub use system::{OsRandom, SystemClock};

/// Everything a function may need. Each binary builds what its function's ports name, and no more.
#[derive(Clone)]
pub struct World {
    /// The store, the queues, the clocks and the settings.
    pub context: Context,
    /// Tells who calls.
    pub auth: Arc<Authenticator>,
    /// EC2.
    pub ec2: Option<Arc<dyn Ec2>>,
    /// CloudWatch.
    pub cloudwatch: Option<Arc<dyn CloudWatch>>,
    /// CML controllers.
    pub cml: Option<Arc<dyn Cml>>,
    /// The same, for all that can be done there.
    pub controllers: Option<Arc<dyn Controllers>>,
    /// Topologies, backups and evidence.
    pub files: Option<Arc<dyn Files>>,
    /// CML credentials.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Opens and seals what only we may read.
    pub sealer: Option<Arc<dyn Sealer>>,
    /// Where people sign in.
    pub identity: Option<Arc<dyn IdentityProvider>>,
    /// The bus.
    pub events: Option<Arc<dyn Events>>,
}

/// An invocation failed as a whole; Lambda delivers the event again.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The event is not what this function's trigger sends.
    #[error("the event is not one of this function's trigger: {0}")]
    Event(#[from] serde_json::Error),
    /// The event names something that is not what AWS names so.
    #[error("the event cannot be understood: {0}")]
    Malformed(String),
    /// The function's use case failed.
    #[error(transparent)]
    App(#[from] app::AppError),
    /// The world was built without a port that the function's row names.
    #[error("the function table gives this function no {0}")]
    MissingPort(&'static str),
    /// The function belongs to another binary.
    #[error("the function {0} has no consumer")]
    NoConsumer(&'static str),
    /// It was not done in time.
    #[error(
        "{0} was not done when its time was up, and was given up; what it did stands, the next event does the rest"
    )]
    OutOfTime(&'static str),
}

/// Runs one function on one event, JSON in and JSON out, in the time that the function has.
///
/// # Errors
/// As [`invoke_within`].
pub async fn invoke(function: &'static Function, world: &World, event: Value) -> Result<Value, InvokeError> {
    invoke_within(function, world, event, function.time_limit()).await
}

/// Runs one function on one event, JSON in and JSON out. Shortly before `time_left` is over it answers
/// for what is done: a request with a problem, a batch with the messages that are not.
///
/// # Errors
/// The invocation failed as a whole. A message that fails is no error: it is in the answer.
pub async fn invoke_within(
    function: &'static Function,
    world: &World,
    event: Value,
    time_left: Duration,
) -> Result<Value, InvokeError> {
    let deadline = Deadline::before(time_left);
    match function.trigger {
        Trigger::Http(_) => http_event::answer(function, world, event, deadline).await,
        // A batch has a way to say what was not done.
        Trigger::Queue { .. } => consume(function, world, event, deadline).await,
        Trigger::Schedule { .. } | Trigger::Stream { .. } | Trigger::Ec2StateChange => {
            let consumed = deadline.within(consume(function, world, event, deadline)).await;
            consumed.unwrap_or(Err(InvokeError::OutOfTime(function.name)))
        }
    }
}

async fn consume(
    function: &'static Function,
    world: &World,
    event: Value,
    deadline: Deadline,
) -> Result<Value, InvokeError> {
    match function.name {
        "dispatch-discovery" => api::dispatch_discovery::run(world).await,
        "dispatch-labs" => api::dispatch_labs::run(world).await,
        "dispatch-metrics" => api::dispatch_metrics::run(world).await,
        "dispatch-power" => api::dispatch_power::run(world).await,
        "publish-events" => api::publish_events::run(world, event).await,
        "collect-aws" => fleet::collect_aws::run(world, event, deadline).await,
        "discover-instances" => fleet::discover_instances::run(world, event, deadline).await,
        "control-power" => fleet::control_power::run(world, event, deadline).await,
        "run-import" => fleet::run_import::run(world, event, deadline).await,
        "run-operation" => fleet::run_operation::run(world, event, deadline).await,
        "record-instance-state" => fleet::record_instance_state::run(world, event).await,
        "collect-cml" => cml::collect_cml::run(world, event, deadline).await,
        "collect-labs" => cml::collect_labs::run(world, event, deadline).await,
        "run-cml-operation" => cml::run_cml_operation::run(world, event, deadline).await,
        other => Err(InvokeError::NoConsumer(other)),
    }
}

impl World {
    fn ec2(&self) -> Result<&dyn Ec2, InvokeError> {
        self.ec2.as_deref().ok_or(InvokeError::MissingPort("EC2"))
    }

    fn controllers(&self) -> Result<&dyn Controllers, InvokeError> {
        self.controllers.as_deref().ok_or(InvokeError::MissingPort("CML client"))
    }

    fn secrets(&self) -> Result<&dyn Secrets, InvokeError> {
        self.secrets.as_deref().ok_or(InvokeError::MissingPort("secrets"))
    }

    fn files(&self) -> Result<&dyn Files, InvokeError> {
        self.files.as_deref().ok_or(InvokeError::MissingPort("store of files"))
    }

    fn ec2_ports(&self) -> Result<Ec2Ports<'_>, InvokeError> {
        Ok(Ec2Ports { ec2: self.ec2()?, files: self.files()? })
    }

    fn cml_ports(&self) -> Result<CmlPorts<'_>, InvokeError> {
        Ok(CmlPorts { controllers: self.controllers()?, secrets: self.secrets()?, files: self.files()? })
    }
}
