//! Who calls, and API keys.

use app::use_cases::create_api_key::NewKey;
use domain::{ApiKey, Invalid, KeyKind, Role, Scope, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{maybe_time, time};
use crate::caller::Caller;

/// Who calls.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Whoami {
    /// The id at the identity provider, or of the API key.
    pub subject: String,
    /// The name to show.
    pub username: String,
    /// The greatest role they have: `admin`, `manager` or `user`.
    pub role: &'static str,
    /// How they showed who they are: `token`, `session`, `api_key` or `signature`.
    pub credential: &'static str,
}

impl From<&Caller> for Whoami {
    fn from(caller: &Caller) -> Self {
        Self {
            subject: caller.subject.clone(),
            username: caller.username.clone(),
            role: caller.role.name(),
            credential: caller.via.name(),
        }
    }
}

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What to call it, 1 to 100 characters.
    pub name: String,
    /// What it opens: `<group>:read` or `<group>:write`, where write includes read.
    #[schema(example = json!(["workers:read"]))]
    pub scopes: Vec<String>,
    /// What it may do at most: `admin`, `manager` or `user`; your own role by default.
    pub role: Option<String>,
    /// The one worker it is good for.
    pub worker_id: Option<String>,
    /// When it ends; in a year by default, in five years at most.
    pub expires_at: Option<String>,
    /// `bearer` (sent as it is, the default) or `signing` (signs requests, and is never sent).
    pub kind: Option<String>,
}

impl CreateApiKey {
    /// The new key.
    ///
    /// # Errors
    /// Which fields cannot be read.
    pub fn into_new_key(self) -> Result<NewKey, Invalid> {
        let mut invalid = Invalid::default();
        let mut read = |field: &str, message: &str| invalid.push(field, message.to_owned());
        let mut scopes = Vec::with_capacity(self.scopes.len());
        for (at, text) in self.scopes.iter().enumerate() {
            match text.parse::<Scope>() {
                Ok(scope) => scopes.push(scope),
                Err(error) => read(&format!("scopes[{at}]"), &error.message),
            }
        }
        let role = self.role.map(|name| Role::from_name(&name).ok_or(()));
        if role == Some(Err(())) {
            read("role", "must be admin, manager or user");
        }
        let kind = KeyKind::from_name(self.kind.as_deref().unwrap_or(KeyKind::Bearer.name()));
        if kind.is_none() {
            read("kind", "must be bearer or signing");
        }
        let worker = self.worker_id.map(|id| id.parse::<WorkerId>().map_err(drop));
        if worker == Some(Err(())) {
            read("worker_id", "must be a worker's id");
        }
        let expires_at = self.expires_at.map(|text| text.parse::<Timestamp>().map_err(drop));
        if expires_at == Some(Err(())) {
            read("expires_at", "must be a time such as 2027-01-31T12:00:00Z");
        }
        let key = kind.map(|kind| NewKey {
            name: self.name,
            kind,
            role: role.and_then(Result::ok),
            scopes,
            worker: worker.and_then(Result::ok),
            expires_at: expires_at.and_then(Result::ok),
        });
        invalid.finish(key)
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// Its id.
    pub id: String,
    /// What the key begins with, to find it again where it is used.
    pub prefix: String,
    /// What its owner calls it.
    pub name: String,
    /// `bearer` or `signing`.
    pub kind: &'static str,
    /// What it may do at most.
    pub role: &'static str,
    /// What it opens.
    pub scopes: Vec<String>,
    /// The one worker it is good for.
    pub worker_id: Option<String>,
    /// Who made it.
    pub owner: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was used last, to the hour.
    pub last_used_at: Option<String>,
}

impl ApiKeyView {
    /// The key as callers see it.
    #[must_use]
    pub fn new(key: &ApiKey, last_used_at: Option<Timestamp>) -> Self {
        Self {
            id: key.id.to_string(),
            prefix: format!("ccm_{}", key.id),
            name: key.name.clone(),
            kind: key.kind.name(),
            role: key.role.name(),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            worker_id: key.worker.map(|id| id.to_string()),
            owner: key.owner_username.clone(),
            created_at: time(key.created_at),
            expires_at: maybe_time(key.expires_at),
            last_used_at: maybe_time(last_used_at),
        }
    }
}

/// A key with its secret: told once, kept nowhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewApiKey {
    /// The key.
    #[serde(flatten)]
    pub about: ApiKeyView,
    /// The key itself. It cannot be shown again.
    pub key: String,
}

/// A page of API keys, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyList {
    /// The keys.
    pub items: Vec<ApiKeyView>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}
