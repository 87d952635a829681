//! What a token says, once its signature is known to be the issuer's.

use app::ports::VerifiedToken;
use domain::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::problem::Problem;

use super::{AuthConfig, refuse, timestamp};

/// The claims of Keycloak's and Cognito's tokens that matter here.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    /// The issuer's session (OpenID Connect Back-Channel Logout 1.0, 2.1).
    pub(super) sid: Option<String>,
    exp: f64,
    nbf: Option<f64>,
    aud: Option<OneOrMany>,
    /// Cognito's access tokens have no `aud`.
    client_id: Option<String>,
    /// The client that an id token was made for, where it is for several.
    azp: Option<String>,
    nonce: Option<String>,
    /// Keycloak's kind of token.
    typ: Option<String>,
    /// Cognito's kind of token.
    token_use: Option<String>,
    /// Only an id token has one.
    at_hash: Option<IgnoredAny>,
    /// The key that a token is bound to.
    cnf: Option<IgnoredAny>,
    preferred_username: Option<String>,
    username: Option<String>,
    #[serde(rename = "cognito:username")]
    cognito_username: Option<String>,
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
    /// Whether it is an access token for us, and good now.
    pub(super) fn check_access(&self, config: &AuthConfig, now: Timestamp) -> Result<(), Problem> {
        self.check_issuer(config)?;
        if !self.is_for(&config.audiences) {
            return Err(refuse("It is for another audience."));
        }
        if !self.is_access_token() {
            return Err(refuse("It is not an access token."));
        }
        self.check_time(config, now)
    }

    /// Whether it is an id token for that client and nonce, and good now (OpenID Connect Core, 3.1.3.7).
    pub(super) fn check_id(
        &self,
        config: &AuthConfig,
        client_id: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.check_issuer(config)?;
        let audiences = self.aud.as_ref().map_or(&[][..], OneOrMany::as_slice);
        if !audiences.iter().any(|audience| audience == client_id)
            || self.azp.as_ref().is_some_and(|party| party != client_id)
        {
            return Err(refuse("It is for another client."));
        }
        if self.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("id"))
            || self.token_use.as_deref().is_some_and(|kind| kind != "id")
        {
            return Err(refuse("It is not an id token."));
        }
        if nonce.is_some_and(|nonce| self.nonce.as_deref() != Some(nonce)) {
            return Err(refuse("It is of another sign-in."));
        }
        self.check_time(config, now)
    }

    fn check_issuer(&self, config: &AuthConfig) -> Result<(), Problem> {
        if self.iss == config.issuer { Ok(()) } else { Err(refuse("It is from another issuer.")) }
    }

    fn check_time(&self, config: &AuthConfig, now: Timestamp) -> Result<(), Problem> {
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
        let says_bearer = self.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("bearer"));
        let says_access = self.token_use.as_deref() == Some("access");
        (self.typ.is_none() || says_bearer)
            && (self.token_use.is_none() || says_access)
            // What an issuer that names no kind puts in an id token.
            && self.at_hash.is_none()
            && (self.nonce.is_none() || says_bearer || says_access)
            // Bound to a key that its bearer would have to show, which we do not ask for (RFC 7800).
            && self.cnf.is_none()
    }

    /// Whose it is.
    pub(super) fn into_verified(self, says: &Value, config: &AuthConfig) -> Result<VerifiedToken, Problem> {
        let Some(role) = config.roles.greatest(says) else {
            tracing::Span::current().record("caller", self.sub.as_str());
            return Err(Problem::not_allowed(
                "The token is valid, but gives none of the roles admin, manager and user. Ask an administrator for one.",
            ));
        };
        let username = [self.preferred_username, self.username, self.cognito_username]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .unwrap_or_else(|| self.sub.clone());
        Ok(VerifiedToken { subject: self.sub, username, role, expires_at: timestamp(self.exp) })
    }
}
