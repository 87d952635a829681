//! The issuer's keys, kept in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use app::error::PortError;
use app::ports::Clock;
use domain::{SignedDuration, Timestamp};
use futures::lock::Mutex;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::problem::Problem;

use super::KeySource;

/// The issuer is asked at most this often, whatever tokens arrive and however it answers.
const ASK_AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// After this long the keys are read again, so that one the issuer has withdrawn is not believed for ever.
const KEEP: SignedDuration = SignedDuration::from_hours(1);
const JWKS_MAX_BYTES: usize = 256 * 1024;
const KEYS_MAX: usize = 64;

/// The known keys, and the discipline of asking for more.
pub(super) struct KeyCache {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// When the issuer was asked last. Whoever holds the lock is asking; who needs the answer waits for it.
    asked_at: Mutex<Option<Timestamp>>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<String, Arc<DecodingKey>>,
    read_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct RsaJwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

impl KeyCache {
    pub(super) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, known: RwLock::default(), asked_at: Mutex::new(None) }
    }

    /// The key of that id; none when the issuer does not have it.
    ///
    /// # Errors
    /// 503 when not a single key is known.
    pub(super) async fn find(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, Problem> {
        match self.known(kid) {
            Some(key) if self.are_fresh() => return Ok(Some(key)),
            Some(_) => {
                // Old keys serve until there are new ones; only one caller waits for those.
                if let Some(mut asked_at) = self.asked_at.try_lock() {
                    self.ask(&mut asked_at).await;
                }
            }
            None => {
                let mut asked_at = self.asked_at.lock().await;
                // Whoever held the lock before may just have brought it.
                if self.known(kid).is_none() {
                    self.ask(&mut asked_at).await;
                }
            }
        }
        match self.known(kid) {
            None if self.is_empty() => Err(Problem::unavailable(
                "The keys of the identity provider cannot be read, so no token can be checked. Try again.",
            )),
            key => Ok(key),
        }
    }

    /// Asks the issuer, unless it was asked a moment ago. What it then shows replaces what was known;
    /// when it shows nothing that can be read, what was known stays.
    async fn ask(&self, asked_at: &mut Option<Timestamp>) {
        let now = self.clock.now();
        if is_within(*asked_at, ASK_AT_MOST_EVERY, now) {
            return;
        }
        *asked_at = Some(now);
        match self.source.fetch().await.and_then(|jwks| read(&jwks)) {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "read the issuer's keys");
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, read_at: Some(now) };
            }
            Err(error) => tracing::error!(%error, "cannot read the issuer's keys"),
        }
    }

    fn known(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.get(kid).cloned()
    }

    fn are_fresh(&self) -> bool {
        is_within(self.known.read().unwrap_or_else(PoisonError::into_inner).read_at, KEEP, self.clock.now())
    }

    fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.is_empty()
    }
}

/// Whether `now` is less than `span` after `then`. A clock that was set back does not hold us up.
fn is_within(then: Option<Timestamp>, span: SignedDuration, now: Timestamp) -> bool {
    then.is_some_and(|then| (SignedDuration::ZERO..span).contains(&now.duration_since(then)))
}

/// The keys of a JWKS that can check RS256. Keys of other kinds are passed over: an issuer may have
/// them for other uses.
fn read(jwks: &str) -> Result<BTreeMap<String, Arc<DecodingKey>>, PortError> {
    if jwks.len() > JWKS_MAX_BYTES {
        return Err(PortError::new("jwks.read", format!("it is longer than {JWKS_MAX_BYTES} bytes")));
    }
    let jwks: Jwks = serde_json::from_str(jwks).map_err(|e| PortError::new("jwks.read", e.to_string()))?;
    if jwks.keys.len() > KEYS_MAX {
        return Err(PortError::new("jwks.read", format!("it has more than {KEYS_MAX} keys")));
    }
    Ok(jwks.keys.into_iter().filter_map(rs256_key).collect())
}

fn rs256_key(jwk: Value) -> Option<(String, Arc<DecodingKey>)> {
    let jwk = RsaJwk::deserialize(jwk).ok()?;
    let usable = jwk.kty == "RSA"
        && jwk.alg.as_deref().is_none_or(|alg| alg == "RS256")
        && jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
    let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).ok()?;
    usable.then(|| (jwk.kid, Arc::new(key)))
}
