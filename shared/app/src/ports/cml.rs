//! A CML controller, in the readings this product needs.

use async_trait::async_trait;
use domain::activity::TelemetryEvent;
use domain::metrics::CmlReading;
use domain::{Timestamp, WorkerId};

use super::CmlCredentials;

/// Which controller, and how to be sure that it is the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmlTarget {
    /// The worker, for the token cache and the log.
    pub worker: WorkerId,
    /// `https://address[:port]`, just read from EC2 or set by an admin.
    pub endpoint: String,
    /// SHA-256 of the certificate it must show, hexadecimal; null at the first contact.
    pub certificate_sha256: Option<String>,
}

/// `GET /system_information`, which needs no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemInformation {
    /// CML's version, as it spells it.
    pub version: String,
    /// At least one compute can start nodes.
    pub ready: bool,
}

/// The first answer of a controller: what it says, and the certificate it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstContact {
    /// What it says.
    pub information: SystemInformation,
    /// SHA-256 of the certificate it showed, hexadecimal.
    pub certificate_sha256: String,
}

/// One full reading. Each part stands alone: one call failing leaves the others.
#[derive(Debug)]
pub struct ControllerReading {
    /// Health, statistics and licence, as far as they were read. `version` and `ready` are filled
    /// from the system information given.
    pub cml: CmlReading,
    /// Telemetry entries newer than the mark asked for; null when the feed could not be read.
    pub telemetry: Option<Vec<TelemetryEvent>>,
    /// The id of the CML user that read, from its token.
    pub our_user_id: Option<String>,
    /// What failed, by call.
    pub errors: Vec<CmlError>,
}

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
    /// The call: `GET /system_stats`.
    pub operation: &'static str,
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
    /// What kind of failure.
    pub kind: CmlErrorKind,
    /// CML's own description word for word, or what happened.
    pub message: String,
}

impl CmlError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self.kind, CmlErrorKind::Unreachable | CmlErrorKind::NotReady)
    }
}

/// CML controllers.
#[async_trait]
pub trait Cml: Send + Sync {
    /// Asks without credentials. The certificate shown must be the pinned one, if one is pinned.
    async fn system_information(&self, target: &CmlTarget) -> Result<FirstContact, CmlError>;

    /// Reads health, statistics, licence and telemetry, with credentials, which go only to a
    /// controller that shows the pinned certificate.
    ///
    /// # Errors
    /// Only when nothing could be read at all: no pin, no sign-in.
    async fn read(
        &self,
        target: &CmlTarget,
        credentials: &CmlCredentials,
        information: &SystemInformation,
        telemetry_after: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError>;
}
