//! Tokens of our issuer, checked with the issuer's own keys.

mod claims;
mod jwks;
mod keys;
mod roles;
mod stored_keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use app::ports::{Clock, PortError, TokenError, TokenVerifier, VerifiedIdToken, VerifiedToken};
use async_trait::async_trait;
use domain::Timestamp;
use domain::session::Person;
use jsonwebtoken::{Algorithm, Header, Validation, dangerous, decode, decode_header};
use serde_json::Value;

use crate::caller::{Caller, Via};
use crate::problem::Problem;

use claims::Claims;
use keys::{Asking, KeyCache};
pub use roles::RoleRules;
pub use stored_keys::StoredKeys;

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
    /// Where a token says which roles its bearer has.
    pub roles: RoleRules,
}

/// Where the issuer's keys come from. An implementation has a timeout and reads a bounded answer.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The issuer's JWKS, as JSON text. An error when the issuer does not answer.
    async fn fetch(&self) -> Result<String, PortError>;

    /// A JWKS that the issuer showed before, and when; for while it does not answer.
    async fn remembered(&self) -> Option<(String, Timestamp)> {
        None
    }
}

/// Tells whose a token is.
pub struct Authenticator {
    config: AuthConfig,
    keys: KeyCache,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// An authenticator for that issuer. Nothing is fetched before the first token.
    #[must_use]
    pub fn new(config: AuthConfig, keys: Arc<dyn KeySource>, machine_clock: Arc<dyn Clock>) -> Self {
        Self { config, keys: KeyCache::new(keys, Arc::clone(&machine_clock)), clock: machine_clock }
    }

    /// The caller of a request with that `Authorization` header.
    ///
    /// # Errors
    /// 401 with a challenge when it is no bearer token, or one that is not valid; 403 for a valid token
    /// without any role of ours; 503 when the key cannot be had yet, with the time when it can.
    pub async fn authenticate(&self, authorization: &str) -> Result<Caller, Problem> {
        let token = bearer_token(authorization)?;
        let VerifiedToken { subject, username, role, .. } = self.access(token, || self.worth(token)).await?;
        Ok(Caller::person_via(Person { subject, username, role }, Via::Token))
    }

    async fn access(&self, token: &str, asking: impl FnOnce() -> Asking) -> Result<VerifiedToken, Problem> {
        let (claims, says) = self.claims(token, asking).await?;
        claims.check_access(&self.config, self.clock.now())?;
        claims.into_verified(&says, &self.config)
    }

    /// Whether a stranger's token is worth a question for its key: what it says is not believed, but if not
    /// even that is good, the key makes no difference.
    fn worth(&self, token: &str) -> Asking {
        let says = dangerous::insecure_decode_claims::<Claims>(token);
        let good = says.is_ok_and(|claims| claims.check_access(&self.config, self.clock.now()).is_ok());
        if good { Asking::OnceAMinute } else { Asking::Never }
    }

    /// What the token says, once its signature is known to be the issuer's. `asking` tells how to come by its key.
    async fn claims(&self, token: &str, asking: impl FnOnce() -> Asking) -> Result<(Claims, Value), Problem> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(refuse("It is too long."));
        }
        let header = decode_header(token).map_err(|_| unreadable())?;
        let algorithm = header.alg;
        let kid = key_id(header)?;
        let known = self.keys.find(&kid, asking).await?;
        let key = known.ok_or_else(|| refuse("It is signed with a key that the issuer does not have."))?;
        // What a key is good for is the issuer's to say, not the token's.
        if key.algorithm != algorithm {
            return Err(refuse("It is not signed in the way of the key that it names."));
        }
        let wrong = || refuse("Its signature or its claims are wrong.");
        let says: Value = decode(token, &key.decoding, &validation(algorithm)).map_err(|_| wrong())?.claims;
        let claims = serde_json::from_value(says.clone()).map_err(|_| wrong())?;
        Ok((claims, says))
    }
}

/// The tokens that are checked so have just come from the issuer, in exchange for a code or a refresh token.
#[async_trait]
impl TokenVerifier for Authenticator {
    async fn access_token(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.access(token, || Asking::Freely).await.map_err(refusal)
    }

    async fn id_token(&self, token: &str, client_id: &str, nonce: Option<&str>) -> Result<VerifiedIdToken, TokenError> {
        let (claims, _) = self.claims(token, || Asking::Freely).await.map_err(refusal)?;
        claims.check_id(&self.config, client_id, nonce, self.clock.now()).map_err(refusal)?;
        Ok(VerifiedIdToken { subject: claims.sub, issuer_session: claims.sid })
    }
}

/// Whether a JWKS has keys that can be used.
pub(super) fn check_jwks(jwks: &str) -> Result<(), PortError> {
    jwks::read(jwks).map(drop)
}

fn refusal(problem: Problem) -> TokenError {
    if problem.status == 503 {
        TokenError::Unavailable(PortError::new("jwks.fetch", problem.detail))
    } else {
        TokenError::Refused(problem.detail)
    }
}

/// The library checks the signature. The claims are checked here: its own checks use its own clock,
/// and skip claims that are absent.
fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The one token of the header.
fn bearer_token(authorization: &str) -> Result<&str, Problem> {
    let header = authorization.trim();
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized("Sign in with a bearer token: \"Authorization: Bearer <token>\".", None));
    }
    let token = token.trim_start();
    // A repeated header arrives joined by a comma; neither of two tokens is believed.
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err(unreadable());
    }
    Ok(token)
}

/// The key that the token says it is signed with. The header is only a claim until the signature is
/// checked, so it chooses among the issuer's keys and nothing else.
fn key_id(header: Header) -> Result<String, Problem> {
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(refuse("It is not signed with RS256 or ES256."));
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

/// The whole seconds of a numeric date.
fn timestamp(seconds: f64) -> Timestamp {
    // A date that no clock reaches is as good as the last one.
    Timestamp::from_second(seconds.clamp(0.0, 253_402_207_200.0) as i64).unwrap_or(Timestamp::MAX)
}
