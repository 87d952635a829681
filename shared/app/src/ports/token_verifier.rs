//! What a token of the issuer says, once it is known to be the issuer's.

use async_trait::async_trait;
use domain::{Role, Timestamp};

use super::error::PortError;

/// Who an access token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The identity provider's stable id.
    pub subject: String,
    /// The name to show.
    pub username: String,
    /// The greatest role that the token gives.
    pub role: Role,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Who signed in, and in which session of the issuer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdToken {
    /// The identity provider's stable id.
    pub subject: String,
    /// The issuer's own session (`sid`), where it names one.
    pub issuer_session: Option<String>,
}

/// Why a token says nothing.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is not valid, or gives no role; why, for the caller.
    #[error("{0}")]
    Refused(String),
    /// The issuer's keys cannot be had.
    #[error(transparent)]
    Unavailable(PortError),
}

/// Checks tokens with the issuer's own keys.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Whose access token that is.
    async fn access_token(&self, token: &str) -> Result<VerifiedToken, TokenError>;

    /// Checks an id token for that client and nonce (none at a refresh, where it may be left out).
    async fn id_token(&self, token: &str, client_id: &str, nonce: Option<&str>) -> Result<VerifiedIdToken, TokenError>;
}
