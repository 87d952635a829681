//! What the use cases need of the world, as small as they need it. Adapters implement these; every
//! outgoing call of an adapter has a timeout and a bound on what it reads.

mod cloudwatch;
mod cml;
mod ec2;
mod error;
mod events;
mod files;
mod identity_provider;
mod queues;
mod sealer;
mod secrets;
mod table;
mod token_verifier;

pub use cloudwatch::{CloudWatch, InstanceMetrics, MetricsRequest};
pub use cml::{
    Authorization, Autostart, Capacity, Cml, CmlAccess, CmlDefinitions, CmlError, CmlErrorKind, CmlGroup, CmlIdentity,
    CmlLab, CmlLabs, CmlLicensing, CmlNode, CmlNodes, CmlNotice, CmlProxy, CmlState, CmlSystem, CmlTarget, CmlTopology,
    CmlUser, CmlUsers, ComputeHealth, ComputeHost, ComputeStatistics, ControllerHealth, ControllerReading, Controllers,
    Deregistration, ElementStates, FeatureCount, FirstContact, ImageDefinition, ImportedLab, LabChange, LabEvent,
    LabListing, LicenseFeature, LicensingAttempt, LicensingStatus, LicensingTransport, LicensingTransportChange,
    LinkStatistics, MaintenanceMode, NodeDefinition, NodeProgress, NodeStaging, NodeStatistics, NoticeChange,
    NoticeLevel, ProductInstance, ProductLicense, ProxyAnswer, ProxyMethod, ProxyRequest, Registration,
    SimulationStatistics, SystemHealth, SystemInformation, SystemStatistics, TopologyLink, TopologyNode,
};
pub use ec2::{Ec2, Ec2Error, ImageFacts, InstanceFilter, LaunchRequest, StatusChecks};
pub use error::PortError;
pub use events::{CloudEvent, Events, Publication};
pub use files::{FileKind, Files};
pub use identity_provider::{AuthorizationRequest, IdentityError, IdentityProvider, Tokens};
pub use queues::{Outgoing, Queue, Queues};
pub use sealer::{SealOnce, Sealed, Sealer};
pub use secrets::{CmlCredentials, CmlLogins, LicenseToken, Secrets};
pub use table::{Condition, IndexName, Item, ItemKey, Page, Query, Table, TableError, Write};
pub use token_verifier::{TokenError, TokenVerifier, VerifiedIdToken, VerifiedToken};

use std::time::Duration;

use async_trait::async_trait;
use domain::Timestamp;

/// What time it is. There are two: fleet time, by which workers live (boots, idle timeouts,
/// deadlines), and machine time, by which software lives (leases, tokens, throttles). In AWS they
/// are the same; the local stack lets fleet time run faster.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Waits, by machine time. Only to give something up, never in place of a condition.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Ends when so much time has passed.
    async fn after(&self, time: Duration);
}

/// Random numbers, from the operating system or from a seed.
pub trait Random: Send + Sync {
    /// The next 128 bits.
    fn next(&self) -> u128;
}
