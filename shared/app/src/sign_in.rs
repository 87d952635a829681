//! Browser sessions: what is kept of them, and why there is none.

use domain::session::Person;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::ports::{IdentityError, IdentityProvider, PortError, SealOnce, Sealer, TokenError, VerifiedToken};
use crate::store::StoredSession;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// There is none, or it is over.
    #[error("the session is over")]
    Over,
    /// The access token behind it has ended: the session has to be refreshed before anything else.
    #[error("the session has to be refreshed")]
    RefreshNeeded,
    /// Another request is refreshing it.
    #[error("the session is being refreshed")]
    RefreshUnderWay,
    /// The sign-in cannot be finished; why.
    #[error("{0}")]
    Failed(&'static str),
    /// The identity provider refused; its error code.
    #[error("the identity provider refused: {0}")]
    Denied(String),
    /// The identity provider's tokens are not good here; why.
    #[error("{0}")]
    Refused(String),
    /// Something else.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<TokenError> for SignInError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused(why) => Self::Refused(why),
            TokenError::Unavailable(error) => Self::App(AppError::Unavailable(error)),
        }
    }
}

/// An error of the identity provider where it is asked about nothing that could be refused.
pub(crate) fn unavailable(error: IdentityError) -> AppError {
    AppError::Unavailable(match error {
        IdentityError::Unavailable(error) => error,
        IdentityError::InvalidGrant => PortError::new("issuer", error.to_string()),
    })
}

/// The tokens behind a session, as they are sealed.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SealedTokens {
    /// For new ones; none when the issuer gave none.
    pub(crate) refresh_token: Option<String>,
    /// The issuer's session that it is of, where the issuer names it.
    #[serde(default)]
    pub(crate) issuer_session: Option<String>,
}

impl SealedTokens {
    /// What seals the tokens of that session, before they are there.
    pub(crate) async fn sealing(sealer: &dyn Sealer, session_hash: &str) -> Result<SealOnce, AppError> {
        sealer.sealing(&StoredSession::context(session_hash)).await.map_err(AppError::Unavailable)
    }

    pub(crate) fn seal(&self, seal: SealOnce) -> Result<String, AppError> {
        // A struct of texts always serialises.
        let text = serde_json::to_string(self).unwrap_or_default();
        seal(&text).map_err(AppError::Unavailable)
    }

    pub(crate) async fn open(sealer: &dyn Sealer, stored: &StoredSession) -> Result<Self, AppError> {
        let context = StoredSession::context(&stored.hash);
        let text = sealer.open(&stored.sealed, &context).await.map_err(AppError::Unavailable)?;
        // Not even the error may repeat what was read.
        serde_json::from_str(&text)
            .map_err(|_| AppError::Corrupt(PortError::new("session", "what is sealed cannot be read")))
    }
}

/// Whose the token is.
pub(crate) fn person(token: &VerifiedToken) -> Person {
    Person { subject: token.subject.clone(), username: token.username.clone(), role: token.role }
}

/// Makes a refresh token that nobody is to use any more worthless, as far as the issuer can be reached.
pub(crate) async fn revoke(provider: &dyn IdentityProvider, refresh_token: &str) {
    if let Err(error) = provider.revoke(refresh_token).await {
        tracing::warn!(%error, "a refresh token that is of no use any more was not revoked");
    }
}

#[cfg(test)]
mod tests;
