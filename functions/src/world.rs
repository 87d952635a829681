//! What a function works with, and how its run fails.

use std::sync::Arc;

use app::Context;
use app::ports::{CloudWatch, Cml, Controllers, Ec2, Events, Files, IdentityProvider, Sealer, Secrets};
use app::use_cases::controller::CmlPorts;
use app::use_cases::evidence::Ec2Ports;
use http_api::token::Authenticator;

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

impl World {
    pub(crate) fn ec2(&self) -> Result<&dyn Ec2, InvokeError> {
        self.ec2.as_deref().ok_or(InvokeError::MissingPort("EC2"))
    }

    pub(crate) fn controllers(&self) -> Result<&dyn Controllers, InvokeError> {
        self.controllers.as_deref().ok_or(InvokeError::MissingPort("CML client"))
    }

    pub(crate) fn secrets(&self) -> Result<&dyn Secrets, InvokeError> {
        self.secrets.as_deref().ok_or(InvokeError::MissingPort("secrets"))
    }

    pub(crate) fn files(&self) -> Result<&dyn Files, InvokeError> {
        self.files.as_deref().ok_or(InvokeError::MissingPort("store of files"))
    }

    pub(crate) fn ec2_ports(&self) -> Result<Ec2Ports<'_>, InvokeError> {
        Ok(Ec2Ports { ec2: self.ec2()?, files: self.files()? })
    }

    pub(crate) fn cml_ports(&self) -> Result<CmlPorts<'_>, InvokeError> {
        Ok(CmlPorts { controllers: self.controllers()?, secrets: self.secrets()?, files: self.files()? })
    }
}
