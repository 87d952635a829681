//! Whose session a cookie stands for. Reads the table only: every request with a cookie comes by here.

use domain::session::SessionState;

use crate::context::Context;
use crate::secret::hash;
use crate::sign_in::SignInError;
use crate::store::StoredSession;

/// The session of a cookie, good for requests now.
///
/// # Errors
/// There is none, it is over, or it has to be refreshed first; or the table failed.
pub async fn read_session(ctx: &Context, cookie: &str) -> Result<StoredSession, SignInError> {
    let stored = ctx.store.session(&hash(cookie)).await?.ok_or(SignInError::Over)?;
    match stored.session.state(ctx.machine_clock.now()) {
        SessionState::Live => Ok(stored),
        SessionState::RefreshNeeded => Err(SignInError::RefreshNeeded),
        SessionState::Over => Err(SignInError::Over),
    }
}
