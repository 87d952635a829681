//! Who calls: a bearer token of our issuer, checked with the issuer's own keys.

mod claims;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use app::error::PortError;
use app::ports::Clock;
use async_trait::async_trait;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};

use crate::problem::Problem;
use crate::request::Caller;

use claims::Claims;
use keys::KeyCache;

/// Largest token. Real ones are 1 to 4 KB.
const TOKEN_MAX_BYTES: usize = 16 * 1024;

/// Whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// The issuer, exactly as its tokens spell it.
    pub issuer: String,
    /// The audiences we answer to; a token must be for one of them.
    pub audiences: Vec<String>,
    /// How far the issuer's clock may be from ours.
    pub leeway_secs: u64,
}

/// Where the issuer's keys come from. An implementation has a timeout and reads a bounded answer.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The issuer's JWKS, as JSON text.
    async fn fetch(&self) -> Result<String, PortError>;
}

/// Tells who calls.
pub struct Authenticator {
    config: AuthConfig,
    keys: KeyCache,
    clock: Arc<dyn Clock>,
    validation: Validation,
}

impl Authenticator {
    /// An authenticator for that issuer. Nothing is fetched before the first token.
    #[must_use]
    pub fn new(config: AuthConfig, keys: Arc<dyn KeySource>, machine_clock: Arc<dyn Clock>) -> Self {
        // The library checks the signature. The claims are checked here: its own checks use its own
        // clock, and skip claims that are absent.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { config, keys: KeyCache::new(keys, Arc::clone(&machine_clock)), clock: machine_clock, validation }
    }

    /// The caller of a request with that `Authorization` header.
    ///
    /// # Errors
    /// 401 with a challenge when there is no token, or one that is not valid; 403 for a valid token
    /// without any role of ours; 503 when no key of the issuer can be had.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Problem> {
        let token = bearer_token(authorization)?;
        let kid = key_id(decode_header(token).map_err(|_| unreadable())?)?;
        let key = self
            .keys
            .find(&kid)
            .await?
            .ok_or_else(|| refuse("It is signed with a key that the issuer does not have."))?;
        let claims: Claims =
            decode(token, &key, &self.validation).map_err(|_| refuse("Its signature or its claims are wrong."))?.claims;
        claims.check(&self.config, self.clock.now())?;
        claims.into_caller(&self.config)
    }
}

/// The one token of the header.
fn bearer_token(authorization: Option<&str>) -> Result<&str, Problem> {
    let header = authorization.map(str::trim).filter(|h| !h.is_empty());
    let Some(header) = header else {
        return Err(Problem::unauthorized("Sign in first: send a token as \"Authorization: Bearer <token>\".", None));
    };
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized("Sign in with a bearer token: \"Authorization: Bearer <token>\".", None));
    }
    let token = token.trim_start();
    if token.len() > TOKEN_MAX_BYTES {
        return Err(refuse("It is too long."));
    }
    // A repeated header arrives joined by a comma; neither of two tokens is believed.
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err(unreadable());
    }
    Ok(token)
}

/// The key that the token says it is signed with. The header is only a claim until the signature is
/// checked, so it chooses among the issuer's keys and nothing else.
fn key_id(header: Header) -> Result<String, Problem> {
    if header.alg != Algorithm::RS256 {
        return Err(refuse("It is not signed with RS256."));
    }
    // Critical extensions are to be refused by those who do not know them (RFC 7515, 4.1.11).
    if header.crit.is_some() {
        return Err(refuse("It needs extensions that are not supported."));
    }
    let kind = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    if !matches!(kind.trim_start_matches("application/"), "jwt" | "at+jwt") {
        return Err(refuse("It is not an access token."));
    }
    header.kid.ok_or_else(|| refuse("It does not name the key that it is signed with."))
}

/// 401 for a token that fails a check.
fn refuse(why: &str) -> Problem {
    Problem::unauthorized(format!("The token is not valid. {why}"), Some("invalid_token"))
}

fn unreadable() -> Problem {
    refuse("It cannot be read; send exactly one token.")
}
