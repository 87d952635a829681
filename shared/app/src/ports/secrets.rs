//! Secrets: CML credentials and licence tokens, kept elsewhere, by reference.

use std::fmt;

use async_trait::async_trait;

use super::error::PortError;

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

/// Credentials, and those that were set before. Passwords change here and in CML one after the other; in
/// between, a controller that refuses the ones takes the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmlLogins {
    /// What was set last.
    pub current: CmlCredentials,
    /// What was set before that.
    pub previous: Option<CmlCredentials>,
}

impl From<CmlCredentials> for CmlLogins {
    fn from(current: CmlCredentials) -> Self {
        Self { current, previous: None }
    }
}

/// A Smart Licensing token. Never logged, never stored in an item, never returned to a caller.
#[derive(Clone, PartialEq, Eq)]
pub struct LicenseToken(pub String);

impl fmt::Debug for LicenseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LicenseToken")
    }
}

/// Where secrets are kept.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The credentials of that reference; null when there are none.
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlLogins>, PortError>;

    /// Sets them; those that were set become the previous ones. When they are set already nothing is written, so
    /// that the previous ones stay.
    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError>;

    /// Keeps a licence token until it is used.
    async fn put_token(&self, reference: &str, token: &LicenseToken) -> Result<(), PortError>;

    /// The token; null when there is none.
    async fn token(&self, reference: &str) -> Result<Option<LicenseToken>, PortError>;

    /// Deletes it for good; one that is not there is deleted already.
    async fn delete_token(&self, reference: &str) -> Result<(), PortError>;
}
