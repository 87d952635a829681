//! The issuer's keys, kept in memory, and the discipline of asking for more.
//!
//! A token that names a key we do not know may be signed with a new one, or made up by a stranger; only asking
//! the issuer tells. Strangers must not make us ask without end, and must not be able to keep a new key from
//! being found, nor have somebody with a good token called a forger:
//!
//! - The issuer is asked at most once a minute for an unknown key, whoever comes with however many.
//! - A token that would be refused with the key too does not use that question up.
//! - A token that came straight from the issuer (signing in, refreshing a session) asks whenever it has to:
//!   the issuer has just been paid for it with a code or a refresh token, and no stranger has those.
//! - While no question may be asked, a key that the issuer is known to lack is refused, and of any other the
//!   answer is that it cannot be told yet, and when it can: 503 with `Retry-After`, never 401. A client
//!   that heeds it loses one request, and nobody is told to sign in again for nothing.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use app::ports::Clock;
use domain::{SignedDuration, Timestamp};
use futures::lock::Mutex;

use crate::problem::Problem;

use super::KeySource;
use super::jwks::{self, IssuerKey, KEYS_MAX, Keys};

/// For a key that is not known the issuer is asked at most this often, whatever tokens arrive. The
/// first reading and the hourly one do not count: a key that is new right after them is found too.
const ASK_FOR_UNKNOWN_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// An issuer that did not answer (it restarts, perhaps) is asked again after this long by who has no key,
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(2);
/// and after this long by who has one that is only old: each attempt may hold up a request.
const RENEW_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// After this long the keys are read again, so that one the issuer has withdrawn is not believed for ever.
const KEEP: SignedDuration = SignedDuration::from_hours(1);

/// How often the issuer may be asked for the key of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Whenever it is not known: the token came straight from the issuer.
    Freely,
    /// Once a minute: anybody may have made the token up.
    OnceAMinute,
    /// Not at all: the token would be refused with its key too.
    Never,
}

/// The known keys.
pub(super) struct KeyCache {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// Whoever holds the lock is asking; who needs the answer waits for it.
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Known {
    keys: Keys,
    read_at: Option<Timestamp>,
}

/// When the issuer was asked last, and which keys it lacked then.
#[derive(Default)]
struct Asked {
    /// Because of an unknown key that anybody may have made up, with an answer.
    for_unknown: Option<Timestamp>,
    /// Without an answer.
    in_vain: Option<Timestamp>,
    /// The key that was asked for last and is not there.
    lacking: Option<String>,
    /// Keys that were there once. Only the issuer can put one here, so that no stranger can drive one out.
    withdrawn: VecDeque<String>,
}

impl Asked {
    /// Whether the issuer is known not to have that key.
    fn lacks(&self, kid: &str) -> bool {
        self.lacking.as_deref() == Some(kid) || self.withdrawn.iter().any(|withdrawn| withdrawn == kid)
    }
}

impl KeyCache {
    pub(super) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, known: RwLock::default(), asked: Mutex::default() }
    }

    /// The key of that id; none when the issuer does not have it. `asking` is called when it is not known.
    ///
    /// # Errors
    /// 503 when it cannot be told whether the issuer has it, with the time when it can.
    pub(super) async fn find(
        &self,
        kid: &str,
        asking: impl FnOnce() -> Asking,
    ) -> Result<Option<Arc<IssuerKey>>, Problem> {
        let Some(key) = self.known(kid) else { return self.find_unknown(kid, asking()).await };
        if self.are_fresh() {
            return Ok(Some(key));
        }
        // Old keys serve until there are new ones; only one caller waits for those.
        if let Some(mut asked) = self.asked.try_lock()
            && left(asked.in_vain, RENEW_AFTER, self.clock.now()).is_none()
        {
            self.ask(&mut asked).await;
        }
        Ok(self.known(kid))
    }

    async fn find_unknown(&self, kid: &str, asking: Asking) -> Result<Option<Arc<IssuerKey>>, Problem> {
        let began = self.clock.now();
        let mut asked = self.asked.lock().await;
        // Whoever held the lock before may just have brought it, or learnt that it cannot be had.
        if let Some(key) = self.known(kid) {
            return Ok(Some(key));
        }
        let first = self.is_empty();
        let now = self.clock.now();
        let after_failure = left(asked.in_vain, RETRY_AFTER, now);
        let wait = match asking {
            Asking::Freely => after_failure.filter(|_| asked.in_vain > Some(began)),
            _ if first => after_failure,
            Asking::Never => return Ok(None),
            Asking::OnceAMinute => after_failure.max(left(asked.for_unknown, ASK_FOR_UNKNOWN_EVERY, now)),
        };
        let wait = match wait {
            Some(wait) => wait,
            None => {
                let answered = self.ask(&mut asked).await;
                if answered && !first && asking == Asking::OnceAMinute {
                    asked.for_unknown = Some(now);
                }
                let key = self.known(kid);
                if answered && key.is_none() {
                    asked.lacking = Some(kid.to_owned());
                }
                if answered || key.is_some() {
                    return Ok(key);
                }
                RETRY_AFTER
            }
        };
        if asked.lacks(kid) { Ok(None) } else { Err(self.cannot_tell(wait)) }
    }

    fn cannot_tell(&self, wait: SignedDuration) -> Problem {
        let seconds = u32::try_from((wait.as_millis() + 999) / 1000).unwrap_or(1);
        let why = if self.is_empty() {
            "The keys of the identity provider cannot be read, so no token can be checked."
        } else {
            "The token names a key that the identity provider did not show when it was asked last, so whether it is \
             good cannot be told yet."
        };
        Problem::unavailable(format!("{why} Try again in {seconds} s, with the same token.")).retry_after(seconds)
    }

    /// Asks the issuer; whether it answers. What it then shows replaces what was known. When it shows nothing
    /// that can be read, what was known stays, unless others have read newer keys meanwhile.
    async fn ask(&self, asked: &mut Asked) -> bool {
        match self.source.fetch().await.and_then(|jwks| jwks::read(&jwks)) {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "read the issuer's keys");
                self.replace(asked, keys, self.clock.now());
                asked.in_vain = None;
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot read the issuer's keys");
                self.remember(asked).await;
                // Now, not when it began: it may have taken longer than the time until the next attempt.
                asked.in_vain = Some(self.clock.now());
                false
            }
        }
    }

    /// Takes over the keys that are remembered elsewhere, if they are newer.
    async fn remember(&self, asked: &mut Asked) {
        let Some((jwks, read_at)) = self.source.remembered().await else { return };
        if self.known.read().unwrap_or_else(PoisonError::into_inner).read_at >= Some(read_at) {
            return;
        }
        match jwks::read(&jwks) {
            Ok(keys) => {
                tracing::warn!(%read_at, "the issuer does not show its keys; those that are remembered serve");
                self.replace(asked, keys, read_at);
            }
            Err(error) => tracing::warn!(%error, "the keys that are remembered cannot be read"),
        }
    }

    fn replace(&self, asked: &mut Asked, keys: Keys, read_at: Timestamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        asked.withdrawn.retain(|kid| !keys.contains_key(kid));
        asked.withdrawn.extend(known.keys.keys().filter(|kid| !keys.contains_key(*kid)).cloned());
        let too_many = asked.withdrawn.len().saturating_sub(KEYS_MAX);
        asked.withdrawn.drain(..too_many);
        *known = Known { keys, read_at: Some(read_at) };
    }

    fn known(&self, kid: &str) -> Option<Arc<IssuerKey>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.get(kid).cloned()
    }

    fn are_fresh(&self) -> bool {
        left(self.known.read().unwrap_or_else(PoisonError::into_inner).read_at, KEEP, self.clock.now()).is_some()
    }

    fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.is_empty()
    }
}

/// What is left of the `span` that began `then`. A clock that was set back does not hold us up.
fn left(then: Option<Timestamp>, span: SignedDuration, now: Timestamp) -> Option<SignedDuration> {
    let passed = now.duration_since(then?);
    (SignedDuration::ZERO..span).contains(&passed).then(|| span - passed)
}
