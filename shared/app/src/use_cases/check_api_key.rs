//! Whose key that is, as it was sent.

use domain::{ApiKey, ApiKeyId, SignedDuration, Timestamp};

use super::create_api_key::KEY_PREFIX;
use crate::context::Context;
use crate::error::AppError;
use crate::secret::hash;
use crate::store::KeySecret;

/// The use of a key is noted at most this often: a key in a loop must not cost a write a call.
const NOTE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Why a credential of ours says nothing.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It is not valid; why, for whoever sent it.
    #[error("{0}")]
    Refused(&'static str),
    /// It could not be checked.
    #[error(transparent)]
    App(#[from] AppError),
}

/// The key that was sent.
///
/// # Errors
/// It is not a key of ours, or not any more; or the table failed.
pub async fn check_api_key(ctx: &Context, sent: &str) -> Result<ApiKey, CredentialError> {
    let unknown = CredentialError::Refused("The API key is not valid: it is unknown, or was revoked.");
    let Some(id) = id_of(sent) else {
        return Err(CredentialError::Refused("The API key cannot be read; it looks like ccm_<id>_<secret>."));
    };
    let Some((stored, last_use)) = ctx.store.api_key(&id).await? else { return Err(unknown) };
    // Hashes are compared: how far two of them agree says nothing about the key.
    if !matches!(&stored.secret, KeySecret::Hash(kept) if *kept == hash(sent)) {
        return Err(unknown);
    }
    let now = ctx.machine_clock.now();
    if stored.key.has_expired(now) {
        return Err(CredentialError::Refused("The API key has expired. Make a new one."));
    }
    note_use(ctx, &id, last_use, now).await;
    Ok(stored.key)
}

/// The id in a key: `ccm_<id>_<secret>`.
fn id_of(sent: &str) -> Option<ApiKeyId> {
    let (id, secret) = sent.strip_prefix(KEY_PREFIX)?.split_once('_')?;
    // 32 bytes in base64url.
    (secret.len() == 43).then(|| id.parse().ok()).flatten()
}

/// Notes the use of a key, if that was not done lately. A note that fails does not fail the request.
pub(super) async fn note_use(ctx: &Context, id: &ApiKeyId, last_use: Option<Timestamp>, now: Timestamp) {
    if last_use.is_some_and(|last| now.duration_since(last) < NOTE_EVERY) {
        return;
    }
    if let Err(error) = ctx.store.note_api_key_use(id, now).await {
        tracing::warn!(key = %id, %error, "the use of an API key was not noted");
    }
}
