//! What endpoints work with.

use std::sync::Arc;

use app::Context;
use app::ports::Secrets;

use crate::auth::Authenticator;

/// What endpoints work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The store, the queues, the clocks and the settings.
    pub context: Context,
    /// Tells who calls.
    pub auth: Arc<Authenticator>,
    /// Where CML credentials are kept, for the endpoints that may write them.
    pub secrets: Option<Arc<dyn Secrets>>,
}
