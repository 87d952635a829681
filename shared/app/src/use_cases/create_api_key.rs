//! Make an API key. Its secret is told once, to its maker, and is nowhere else.

use domain::session::Person;
use domain::{ApiKey, ApiKeyId, Invalid, KeyKind, Role, Scope, SignedDuration, Timestamp, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{PortError, Random, Sealer};
use crate::secret::{hash, new_secret};
use crate::store::{KeySecret, SigningSecret, StoredKey};

/// What every key of ours begins with, so that scanners find one that got where it should not be.
pub const KEY_PREFIX: &str = "ccm_";
const NAME_MAX_CHARS: usize = 100;
const SCOPES_MAX: usize = 50;
/// How long a key lasts when its maker does not say.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);
/// A key that nobody renews is forgotten sooner or later; this long is later.
const LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(24 * 366 * 5);

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
    /// How it is used.
    pub kind: KeyKind,
    /// What it may do at most; its maker's role by default.
    pub role: Option<Role>,
    /// The groups it opens.
    pub scopes: Vec<Scope>,
    /// The one worker it is good for.
    pub worker: Option<WorkerId>,
    /// When it ends; in a year by default.
    pub expires_at: Option<Timestamp>,
}

/// Makes the key for that person; `groups` are those there are. Answers the key and its secret.
///
/// # Errors
/// A field is wrong, the worker does not exist, or a port failed.
pub async fn create_api_key(
    ctx: &Context,
    sealer: &dyn Sealer,
    person: &Person,
    groups: &[&str],
    new: NewKey,
) -> Result<(ApiKey, String), AppError> {
    let now = ctx.machine_clock.now();
    let role = check(person, groups, &new, now)?;
    if let Some(worker) = new.worker {
        let found = ctx.store.worker(worker).await?;
        if !ctx.settings.visibility.of(person).sees(found.owner.as_deref()) {
            return Err(AppError::no_worker(worker));
        }
    }
    let key = ApiKey {
        id: ApiKeyId::new(ctx.random.next()),
        name: new.name,
        kind: new.kind,
        owner: person.subject.clone(),
        owner_username: person.username.clone(),
        role,
        scopes: new.scopes,
        worker: new.worker,
        created_at: now,
        expires_at: Some(new.expires_at.unwrap_or(now + LIFETIME)),
    };
    let secret = key_text(ctx.random.as_ref(), &key.id);
    let kept = match key.kind {
        KeyKind::Bearer => KeySecret::Hash(hash(&secret)),
        KeyKind::Signing => {
            let sealed = sealer.seal(&secret, &StoredKey::context(&key.id)).await.map_err(AppError::Unavailable)?;
            KeySecret::Signing(vec![SigningSecret { sealed, valid_until: None }])
        }
    };
    if !ctx.store.save_api_key(&mut StoredKey { key: key.clone(), secret: kept, version: 0 }).await? {
        // 60 random bits that are taken: whoever tries again gets others.
        return Err(AppError::Unavailable(PortError::new("api_key.create", "the id is taken")));
    }
    tracing::info!(key = %key.id, kind = key.kind.name(), role = role.name(), by = person.username, "an API key was made");
    Ok((key, secret))
}

/// The role of the new key, if all is as it must be.
fn check(person: &Person, groups: &[&str], new: &NewKey, now: Timestamp) -> Result<Role, AppError> {
    let mut invalid = Invalid::default();
    let name_chars = new.name.chars().count();
    if !(1..=NAME_MAX_CHARS).contains(&name_chars) || new.name.chars().any(char::is_control) {
        invalid.push("name", "must have 1 to 100 characters, none of them a control character");
    }
    if new.scopes.is_empty() || new.scopes.len() > SCOPES_MAX {
        invalid.push("scopes", "must have 1 to 50 entries");
    }
    if let Some(unknown) = new.scopes.iter().find(|scope| !groups.contains(&scope.group.as_str())) {
        invalid.push("scopes", format!("has {unknown}, but the groups are {}", groups.join(", ")));
    }
    let role = new.role.unwrap_or(person.role);
    if role > person.role {
        invalid.push("role", format!("must not be above your own, {}", person.role.name()));
    }
    if new.expires_at.is_some_and(|end| end <= now || end.duration_since(now) > LIFETIME_MAX) {
        invalid.push("expires_at", "must be in the future, at most five years from now");
    }
    invalid.finish(Some(role)).map_err(AppError::Invalid)
}

/// A new key, as its bearer is told it.
pub(super) fn key_text(random: &dyn Random, id: &ApiKeyId) -> String {
    format!("{KEY_PREFIX}{id}_{}", new_secret(random))
}
