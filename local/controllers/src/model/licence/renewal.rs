//! A renewal with the smart account: accepted at once, answered later.

use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Refusal, UNHEARD, date};

/// From the request to renew until it is answered, in fleet time.
const RENEWS_IN: SignedDuration = SignedDuration::from_secs(10);

/// The renewals of a registration or of an authorization.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Renewal {
    /// When the last one succeeded.
    succeeded_at: Option<Timestamp>,
    /// The last one that was asked for.
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Asked {
    at: Timestamp,
    /// Whether the smart account hears of it.
    heard: bool,
}

impl Renewal {
    /// When the last one succeeded that is answered by now.
    pub(super) fn succeeded_at(&self, now: Timestamp) -> Option<Timestamp> {
        let answered = self.asked.filter(|asked| asked.heard && !self.under_way(now));
        answered.map(|asked| asked.at + RENEWS_IN).or(self.succeeded_at)
    }

    fn under_way(&self, now: Timestamp) -> bool {
        self.asked.is_some_and(|asked| now < asked.at + RENEWS_IN)
    }

    /// Asks for one, which fails unless the smart account hears of it.
    pub(super) fn ask(&mut self, now: Timestamp, heard: bool) -> Result<(), Refusal> {
        if self.under_way(now) {
            return Err(Refusal { why: "A renewal is in progress.".into(), conflict: true });
        }
        *self = Self { succeeded_at: self.succeeded_at(now), asked: Some(Asked { at: now, heard }) };
        Ok(())
    }

    /// `renew_time`: `since` is what counts without any, and `next` when the next is due. No recording shows one that
    /// is under way or failed.
    pub(super) fn describe(&self, since: Option<Timestamp>, next: Option<Timestamp>, now: Timestamp) -> Value {
        let (attempted, failure, success) = match self.asked {
            Some(asked) if self.under_way(now) => (Some(asked.at), None, None),
            Some(asked) if !asked.heard => (Some(asked.at + RENEWS_IN), Some(UNHEARD), Some("FAILED")),
            Some(_) => (self.succeeded_at(now), None, Some("SUCCESS")),
            None => (since, None, next.and(Some("SUCCESS"))),
        };
        json!({
            "succeeded": null, "attempted": attempted.map(date), "scheduled": next.map(date), "status": null,
            "failure": failure, "success": success,
        })
    }
}
