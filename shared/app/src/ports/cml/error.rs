//! What a failed call means.

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmlErrorKind {
    /// Nothing answers at the address, or not in time.
    Unreachable,
    /// Its web server answers for it: 502, 503 or 504, normal while it boots.
    NotReady,
    /// It showed another certificate than the one recorded.
    CertificateChanged,
    /// It refuses our credentials, or they may not do this.
    Denied,
    /// It refuses the request; its own words are in the message.
    Refused,
    /// Its answer is not what CML answers, or larger than allowed.
    Malformed,
}

/// A call to a controller failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CML {operation}: {message}")]
pub struct CmlError {
    /// The call: `GET /system_stats`, `PUT /labs/{lab_id}/start`. `connect` when it came to no call.
    pub operation: &'static str,
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
    /// What kind of failure.
    pub kind: CmlErrorKind,
    /// CML's own description word for word, or what happened.
    pub message: String,
}

impl CmlError {
    /// The call that signs in: a POST that changes nothing.
    pub const SIGN_IN: &str = "POST /authenticate";

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self.kind, CmlErrorKind::Unreachable | CmlErrorKind::NotReady)
    }

    /// Whether CML may have done what it was asked to: a call that changes something was sent, and
    /// its answer never came, came broken, or was a server error. The client never sends such a call
    /// again. Look first at what is there now, then decide; a refusal (4xx) leaves nothing done.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        let ambiguous = match self.kind {
            CmlErrorKind::Unreachable | CmlErrorKind::NotReady => true,
            // Without a status: it said yes, and the rest cannot be read.
            CmlErrorKind::Malformed => self.status.is_none(),
            CmlErrorKind::CertificateChanged | CmlErrorKind::Denied | CmlErrorKind::Refused => false,
        };
        ambiguous && self.changes_something()
    }

    fn changes_something(&self) -> bool {
        let method = self.operation.split(' ').next().unwrap_or_default();
        self.operation != Self::SIGN_IN && matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(operation: &'static str, kind: CmlErrorKind, status: Option<u16>) -> CmlError {
        CmlError { operation, status, kind, message: String::new() }
    }

    #[test]
    fn only_a_change_that_was_sent_and_not_refused_may_have_been_carried_out() {
        use CmlErrorKind::{CertificateChanged, Denied, Malformed, NotReady, Refused, Unreachable};
        for write in ["POST /import", "PUT /labs/{lab_id}/start", "PATCH /labs/{lab_id}", "DELETE /labs/{lab_id}"] {
            for (kind, status, unknown) in [
                (Unreachable, None, true),
                (NotReady, Some(502), true),
                (Malformed, None, true),
                (Malformed, Some(302), false),
                (Refused, Some(409), false),
                (Denied, Some(401), false),
                (CertificateChanged, None, false),
            ] {
                assert_eq!(error(write, kind, status).outcome_unknown(), unknown, "{write} {kind:?}");
            }
        }
        for no_change in ["GET /labs", "connect", CmlError::SIGN_IN] {
            assert!(!error(no_change, Unreachable, None).outcome_unknown(), "{no_change}");
        }
    }
}
