//! A CML controller: the readings this product lives by, and its API by noun.
//!
//! CML leaves out, renames and adds fields from one version to the next: what it may leave out is
//! null here, and a word it may add to (a state, a level) has a place for the unknown. A question is
//! asked as often as it takes; whatever changes something is sent once ([`CmlError::outcome_unknown`]).

mod definitions;
mod error;
mod labs;
mod licensing;
mod nodes;
mod proxy;
mod state;
mod system;
mod topology;
mod users;

use async_trait::async_trait;
use domain::activity::TelemetryEvent;
use domain::metrics::CmlReading;
use domain::{Timestamp, WorkerId};

use super::CmlLogins;

pub use definitions::{CmlDefinitions, ImageDefinition, NodeDefinition};
pub use error::{CmlError, CmlErrorKind};
pub use labs::{
    Autostart, CmlLab, CmlLabs, ElementStates, ImportedLab, LabChange, LabEvent, LabListing, LinkStatistics,
    NodeStaging, NodeStatistics, SimulationStatistics,
};
pub use licensing::{
    Authorization, CmlLicensing, Deregistration, FeatureCount, LicenseFeature, LicensingAttempt, LicensingStatus,
    LicensingTransport, LicensingTransportChange, ProductInstance, ProductLicense, Registration,
};
pub use nodes::{CmlNode, CmlNodes, NodeProgress};
pub use proxy::{CmlProxy, ProxyAnswer, ProxyMethod, ProxyRequest};
pub use state::CmlState;
pub use system::{
    Capacity, CmlNotice, CmlSystem, ComputeHealth, ComputeHost, ComputeStatistics, ControllerHealth, MaintenanceMode,
    NoticeChange, NoticeLevel, SystemHealth, SystemStatistics,
};
pub use topology::{CmlTopology, TopologyLink, TopologyNode};
pub use users::{CmlGroup, CmlIdentity, CmlUser, CmlUsers};

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

/// A controller, and as whom to speak to it. The credentials go only to a controller that shows the
/// certificate recorded.
#[derive(Clone, Copy, Debug)]
pub struct CmlAccess<'a> {
    /// Which controller.
    pub target: &'a CmlTarget,
    /// As whom.
    pub credentials: &'a CmlLogins,
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
        credentials: &CmlLogins,
        information: &SystemInformation,
        telemetry_after: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError>;
}

/// Everything a controller can do for us.
pub trait Controllers:
    Cml + CmlDefinitions + CmlLabs + CmlLicensing + CmlNodes + CmlProxy + CmlSystem + CmlUsers
{
}

impl<T> Controllers for T where
    T: Cml + CmlDefinitions + CmlLabs + CmlLicensing + CmlNodes + CmlProxy + CmlSystem + CmlUsers
{
}
