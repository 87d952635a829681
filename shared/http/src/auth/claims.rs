//! What a token says, once its signature is known to be the issuer's.

use domain::{Role, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::problem::Problem;
use crate::request::Caller;

use super::{AuthConfig, refuse};

/// The claims of Keycloak's and Cognito's access tokens that matter here.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    aud: Option<OneOrMany>,
    /// Cognito's access tokens have no `aud`.
    client_id: Option<String>,
    /// Keycloak's kind of token.
    typ: Option<String>,
    /// Cognito's kind of token.
    token_use: Option<String>,
    /// Only an id token has one.
    at_hash: Option<IgnoredAny>,
    preferred_username: Option<String>,
    username: Option<String>,
    #[serde(rename = "cognito:username")]
    cognito_username: Option<String>,
    #[serde(default)]
    realm_access: Value,
    #[serde(default)]
    resource_access: Value,
    #[serde(default, rename = "cognito:groups")]
    cognito_groups: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Claims {
    /// Whether the token is for us, and now.
    pub(super) fn check(&self, config: &AuthConfig, now: Timestamp) -> Result<(), Problem> {
        if self.iss != config.issuer {
            return Err(refuse("It is from another issuer."));
        }
        if !self.is_for(&config.audiences) {
            return Err(refuse("It is for another audience."));
        }
        if !self.is_access_token() {
            return Err(refuse("It is not an access token."));
        }
        let now = now.as_second() as f64;
        let leeway = config.leeway_secs as f64;
        if now >= self.exp + leeway {
            return Err(Problem::unauthorized("The token has expired. Sign in again.", Some("invalid_token")));
        }
        if self.nbf.is_some_and(|nbf| now + leeway < nbf) {
            return Err(refuse("It is not valid yet."));
        }
        if self.sub.is_empty() {
            return Err(refuse("It does not say whose it is."));
        }
        Ok(())
    }

    fn is_for(&self, audiences: &[String]) -> bool {
        match &self.aud {
            Some(aud) => aud.as_slice().iter().any(|a| audiences.contains(a)),
            None => self.client_id.as_ref().is_some_and(|client| audiences.contains(client)),
        }
    }

    /// Signed by the same keys are also tokens that tell a client who signed in: an id token says
    /// nothing about what its bearer may do here.
    fn is_access_token(&self) -> bool {
        let typ = self.typ.as_deref().unwrap_or("Bearer").to_ascii_lowercase();
        !matches!(typ.as_str(), "id" | "refresh" | "offline" | "logout")
            && self.token_use.as_deref().is_none_or(|kind| kind == "access")
            && self.at_hash.is_none()
    }

    /// The caller.
    pub(super) fn into_caller(self, config: &AuthConfig) -> Result<Caller, Problem> {
        let Some(role) = self.role(&config.audiences) else {
            return Err(Problem::not_allowed(
                "The token is valid, but gives none of the roles admin, manager and user. Ask an administrator for one.",
            ));
        };
        let username = [self.preferred_username, self.username, self.cognito_username]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .unwrap_or_else(|| self.sub.clone());
        Ok(Caller { subject: self.sub, username, role })
    }

    /// The greatest role that the token gives.
    fn role(&self, audiences: &[String]) -> Option<Role> {
        let clients = audiences.iter().map(|audience| &self.resource_access[audience.as_str()]["roles"]);
        [&self.realm_access["roles"], &self.cognito_groups]
            .into_iter()
            .chain(clients)
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|name| name.as_str().and_then(Role::from_name))
            .max()
    }
}
