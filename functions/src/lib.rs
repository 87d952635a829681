//! The Lambda border: an event in, an answer out, both JSON. The binaries hold one zone each and
//! choose their function by Lambda's `Handler` setting; the local stack calls the same [`invoke`].

mod api;
mod cml;
pub mod environment;
mod fleet;
mod http_event;
mod jwks;
mod queue_event;
mod runtime;
mod system;

use std::sync::Arc;

use app::Context;
use app::ports::{CloudWatch, Cml, Ec2, Secrets};
use http_api::auth::Authenticator;
use http_api::{Function, Trigger};
use serde_json::Value;

pub use jwks::HttpKeys;
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
    /// CML credentials.
    pub secrets: Option<Arc<dyn Secrets>>,
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
}

/// Runs one function on one event, JSON in and JSON out.
///
/// # Errors
/// The invocation failed as a whole. A message that fails is no error: it is in the answer.
pub async fn invoke(function: &'static Function, world: &World, event: Value) -> Result<Value, InvokeError> {
    if let Trigger::Http(_) = function.trigger {
        return http_event::answer(function, world, event).await;
    }
    match function.name {
        "dispatch-metrics" => api::dispatch_metrics::run(world).await,
        "dispatch-power" => api::dispatch_power::run(world).await,
        "collect-aws" => fleet::collect_aws::run(world, event).await,
        "control-power" => fleet::control_power::run(world, event).await,
        "run-operation" => fleet::run_operation::run(world, event).await,
        "record-instance-state" => fleet::record_instance_state::run(world, event).await,
        "collect-cml" => cml::collect_cml::run(world, event).await,
        other => Err(InvokeError::NoConsumer(other)),
    }
}

impl World {
    fn ec2(&self) -> Result<&dyn Ec2, InvokeError> {
        self.ec2.as_deref().ok_or(InvokeError::MissingPort("EC2"))
    }
}
