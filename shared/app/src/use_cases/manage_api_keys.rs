//! See, revoke and rotate API keys: one's own, or all for an admin.

use domain::session::Person;
use domain::{ApiKey, ApiKeyId, KeyKind, Role, SignedDuration, Timestamp};

use super::create_api_key::key_text;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Sealer;
use crate::store::{KeySecret, Listed, SigningSecret, StoredKey};

/// How long the former secret of a signing key is still accepted: time to bring out the new one.
pub const ROTATION_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A page of keys with when each was last used, newest first: the person's own, or all for an admin.
///
/// # Errors
/// The cursor is not one of this list, or the table failed.
pub async fn list_api_keys(
    ctx: &Context,
    person: &Person,
    limit: u32,
    after: Option<String>,
) -> Result<Listed<(ApiKey, Option<Timestamp>)>, AppError> {
    let owner = (person.role < Role::Admin).then_some(person.subject.as_str());
    ctx.store.list_api_keys(owner, limit, after).await
}

/// Revokes a key: from the next request on it opens nothing.
///
/// # Errors
/// There is no such key of theirs, or the table failed.
pub async fn revoke_api_key(ctx: &Context, person: &Person, id: &ApiKeyId) -> Result<(), AppError> {
    theirs(ctx, person, id).await?;
    ctx.store.remove_api_key(id).await?;
    tracing::info!(key = %id, by = person.username, "an API key was revoked");
    Ok(())
}

/// Gives a signing key a new secret; the former one goes on for [`ROTATION_OVERLAP`]. Answers the new secret.
///
/// # Errors
/// There is no such key of theirs, it does not sign, somebody else changed it, or a port failed.
pub async fn rotate_api_key(
    ctx: &Context,
    sealer: &dyn Sealer,
    person: &Person,
    id: &ApiKeyId,
) -> Result<(ApiKey, String), AppError> {
    let mut stored = theirs(ctx, person, id).await?;
    if stored.key.owner != person.subject {
        // Whoever had the new secret would act in its owner's name.
        return Err(AppError::Forbidden("a key is rotated by its owner only; an admin may revoke it".into()));
    }
    if stored.key.role > person.role {
        let why = format!("the key has the role {}, which you no longer have; revoke it", stored.key.role.name());
        return Err(AppError::Forbidden(why));
    }
    let (KeyKind::Signing, KeySecret::Signing(secrets)) = (stored.key.kind, &mut stored.secret) else {
        let why = "only a signing key is rotated: make a new key, use it, and revoke this one";
        return Err(AppError::Conflict(why.into()));
    };
    let secret = key_text(ctx.random.as_ref(), id);
    let sealed = sealer.seal(&secret, &StoredKey::context(id)).await.map_err(AppError::Unavailable)?;
    // Two at once and no more: the newest stays for the overlap, older ones end now.
    secrets.truncate(1);
    for former in secrets.iter_mut() {
        former.valid_until = Some(ctx.machine_clock.now() + ROTATION_OVERLAP);
    }
    secrets.insert(0, SigningSecret { sealed, valid_until: None });
    if !ctx.store.save_api_key(&mut stored).await? {
        return Err(AppError::Conflict(
            "the key was changed by somebody else at the same moment; look, then try again".into(),
        ));
    }
    tracing::info!(key = %id, by = person.username, "an API key was rotated");
    Ok((stored.key, secret))
}

/// The key, if the person may manage it. Another's is one that does not exist.
async fn theirs(ctx: &Context, person: &Person, id: &ApiKeyId) -> Result<StoredKey, AppError> {
    ctx.store
        .api_key(id)
        .await?
        .map(|(stored, _)| stored)
        .filter(|stored| person.role == Role::Admin || stored.key.owner == person.subject)
        .ok_or_else(|| AppError::NotFound { kind: "API key", id: id.to_string() })
}
