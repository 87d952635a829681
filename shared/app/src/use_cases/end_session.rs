//! Sign out: here at once, and at the issuer as far as it can be reached.

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{IdentityProvider, Sealer};
use crate::secret::hash;
use crate::sign_in::SealedTokens;

use super::begin_login::public_url;

/// Ends the session of a cookie, and tells where the browser signs out at the issuer too, if it can. A session
/// that is over, or never was, is ended.
///
/// # Errors
/// The table failed; then the session goes on.
pub async fn end_session(
    ctx: &Context,
    provider: &dyn IdentityProvider,
    sealer: &dyn Sealer,
    cookie: &str,
) -> Result<Option<String>, AppError> {
    let Some(stored) = ctx.store.session(&hash(cookie)).await? else { return Ok(None) };
    ctx.store.end_session(&stored.hash).await?;
    tracing::info!(subject = stored.session.person.subject, username = stored.session.person.username, "signed out");
    // The session is over whatever follows.
    let tokens = match SealedTokens::open(sealer, &stored).await {
        Ok(tokens) => tokens,
        Err(error) => {
            tracing::warn!(cause = cause(&error), "the issuer is not told of a sign-out");
            SealedTokens::default()
        }
    };
    if let Some(token) = &tokens.refresh_token
        && let Err(error) = provider.sign_out(token).await
    {
        tracing::warn!(%error, "the issuer's session was not ended with ours");
    }
    let url = provider.logout_url(&public_url(ctx)?.at("/")).await;
    Ok(url.unwrap_or_else(|error| {
        tracing::warn!(%error, "where to sign out at the issuer is not known");
        None
    }))
}

/// What lies behind an error.
pub(super) fn cause(error: &AppError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
