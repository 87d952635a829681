//! CML credentials: kept elsewhere, by reference.

use std::fmt;

use async_trait::async_trait;

use crate::error::PortError;

/// A CML user and password. Never logged, never stored in an item, never returned to a caller.
#[derive(Clone, PartialEq, Eq)]
pub struct CmlCredentials {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for CmlCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CmlCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where secrets are kept.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The credentials of that reference; null when there are none.
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlCredentials>, PortError>;

    /// Sets them.
    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError>;
}
