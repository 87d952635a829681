//! What endpoints work with.

use std::sync::Arc;

use app::Context;
use app::ports::{Controllers, Files, IdentityProvider, Sealer, Secrets, Timer};

use crate::problem::Problem;
use crate::token::Authenticator;

/// What endpoints work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The store, the queues, the clocks and the settings.
    pub context: Context,
    /// Tells who calls.
    pub auth: Arc<Authenticator>,
    /// CML controllers, for the endpoints that ask them.
    pub controllers: Option<Arc<dyn Controllers>>,
    /// What ends when a controller has had its time.
    pub timer: Arc<dyn Timer>,
    /// Where CML credentials and licence tokens are kept, for the endpoints that may read or write them.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Topologies and backups, for the endpoints that may read or write them.
    pub files: Option<Arc<dyn Files>>,
    /// Opens and seals what only we may read: signing secrets, session tokens.
    pub sealer: Option<Arc<dyn Sealer>>,
    /// Where people sign in, for the endpoints that send them there or fetch tokens.
    pub identity: Option<Arc<dyn IdentityProvider>>,
}

impl Api {
    /// Where people sign in.
    pub(crate) fn identity(&self) -> Result<&dyn IdentityProvider, Problem> {
        self.identity.as_deref().ok_or_else(Problem::internal)
    }

    /// Where topologies and backups are.
    pub(crate) fn files(&self) -> Result<&dyn Files, Problem> {
        self.files.as_deref().ok_or_else(Problem::internal)
    }

    /// CML controllers.
    pub(crate) fn controllers(&self) -> Result<&dyn Controllers, Problem> {
        self.controllers.as_deref().ok_or_else(Problem::internal)
    }

    /// Where CML credentials and licence tokens are.
    pub(crate) fn secrets(&self) -> Result<&dyn Secrets, Problem> {
        self.secrets.as_deref().ok_or_else(Problem::internal)
    }

    /// What opens and seals.
    pub(crate) fn sealer(&self) -> Result<&dyn Sealer, Problem> {
        self.sealer.as_deref().ok_or_else(Problem::internal)
    }
}
