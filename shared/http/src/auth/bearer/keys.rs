//! The issuer's keys, kept in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use app::error::PortError;
use app::ports::Clock;
use domain::{SignedDuration, Timestamp};
use futures::lock::Mutex;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::problem::Problem;

use super::KeySource;

/// For a key that is not known the issuer is asked at most this often, whatever tokens arrive. The
/// first reading and the hourly one do not count: a key that is new right after them is found too.
const ASK_FOR_UNKNOWN_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// An issuer that did not answer (it restarts, perhaps) is asked again after this long.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(2);
/// After this long the keys are read again, so that one the issuer has withdrawn is not believed for ever.
const KEEP: SignedDuration = SignedDuration::from_hours(1);
const JWKS_MAX_BYTES: usize = 256 * 1024;
const KEYS_MAX: usize = 64;

/// The known keys, and the discipline of asking for more.
pub(super) struct KeyCache {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// Whoever holds the lock is asking; who needs the answer waits for it.
    asked: Mutex<Asked>,
}

/// When the issuer was asked last.
#[derive(Default)]
struct Asked {
    /// Because of an unknown key, with an answer.
    for_unknown: Option<Timestamp>,
    /// Without an answer.
    in_vain: Option<Timestamp>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<String, Arc<IssuerKey>>,
    read_at: Option<Timestamp>,
}

/// A key of the issuer, and the one algorithm it is good for.
pub(super) struct IssuerKey {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    #[serde(flatten)]
    material: Material,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

/// RFC 7518, sections 6.2 and 6.3.
#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
}

impl KeyCache {
    pub(super) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, known: RwLock::default(), asked: Mutex::default() }
    }

    /// The key of that id; none when the issuer does not have it.
    ///
    /// # Errors
    /// 503 when not a single key is known.
    pub(super) async fn find(&self, kid: &str) -> Result<Option<Arc<IssuerKey>>, Problem> {
        match self.known(kid) {
            Some(key) if self.are_fresh() => return Ok(Some(key)),
            Some(_) => {
                // Old keys serve until there are new ones; only one caller waits for those.
                if let Some(mut asked) = self.asked.try_lock() {
                    self.ask(&mut asked).await;
                }
            }
            None => {
                let mut asked = self.asked.lock().await;
                // Whoever held the lock before may just have brought it.
                if self.known(kid).is_none() {
                    self.ask_for_unknown(&mut asked).await;
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

    /// Asks for a key that is not known.
    async fn ask_for_unknown(&self, asked: &mut Asked) {
        let first = self.is_empty();
        let now = self.clock.now();
        if !first && is_within(asked.for_unknown, ASK_FOR_UNKNOWN_EVERY, now) {
            return;
        }
        if self.ask(asked).await && !first {
            asked.for_unknown = Some(now);
        }
    }

    /// Asks the issuer, unless it has just not answered; whether it answers. What it then shows replaces
    /// what was known; when it shows nothing that can be read, what was known stays.
    async fn ask(&self, asked: &mut Asked) -> bool {
        let now = self.clock.now();
        if is_within(asked.in_vain, RETRY_AFTER, now) {
            return false;
        }
        match self.source.fetch().await.and_then(|jwks| read(&jwks)) {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "read the issuer's keys");
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, read_at: Some(now) };
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot read the issuer's keys");
                asked.in_vain = Some(now);
                false
            }
        }
    }

    fn known(&self, kid: &str) -> Option<Arc<IssuerKey>> {
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

/// The keys of a JWKS that can check RS256 or ES256. Keys of other kinds are passed over: an issuer may
/// have them for other uses.
fn read(jwks: &str) -> Result<BTreeMap<String, Arc<IssuerKey>>, PortError> {
    if jwks.len() > JWKS_MAX_BYTES {
        return Err(PortError::new("jwks.read", format!("it is longer than {JWKS_MAX_BYTES} bytes")));
    }
    let jwks: Jwks = serde_json::from_str(jwks).map_err(|e| PortError::new("jwks.read", e.to_string()))?;
    if jwks.keys.len() > KEYS_MAX {
        return Err(PortError::new("jwks.read", format!("it has more than {KEYS_MAX} keys")));
    }
    Ok(jwks.keys.into_iter().filter_map(usable).collect())
}

fn usable(jwk: Value) -> Option<(String, Arc<IssuerKey>)> {
    let Jwk { kid, material, alg, purpose } = Jwk::deserialize(jwk).ok()?;
    let (algorithm, name, decoding) = match material {
        Material::Rsa { n, e } => (Algorithm::RS256, "RS256", DecodingKey::from_rsa_components(&n, &e).ok()?),
        Material::Ec { crv, x, y } if crv == "P-256" => {
            (Algorithm::ES256, "ES256", DecodingKey::from_ec_components(&x, &y).ok()?)
        }
        Material::Ec { .. } => return None,
    };
    let signs = alg.is_none_or(|alg| alg == name) && purpose.is_none_or(|purpose| purpose == "sig");
    signs.then(|| (kid, Arc::new(IssuerKey { algorithm, decoding })))
}
