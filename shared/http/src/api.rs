//! What endpoints work with.

use std::sync::Arc;

use app::Context;
use app::ports::{IdentityProvider, Sealer, Secrets};

use crate::auth::Authenticator;
use crate::problem::Problem;

/// What endpoints work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The store, the queues, the clocks and the settings.
    pub context: Context,
    /// Tells who calls.
    pub auth: Arc<Authenticator>,
    /// Where CML credentials are kept, for the endpoints that may write them.
    pub secrets: Option<Arc<dyn Secrets>>,
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

    /// What opens and seals.
    pub(crate) fn sealer(&self) -> Result<&dyn Sealer, Problem> {
        self.sealer.as_deref().ok_or_else(Problem::internal)
    }
}
