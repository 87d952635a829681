//! What goes over the wire, apart from the domain and from what is stored.

mod backup;
mod discovery;
mod event;
mod evidence;
mod fleet;
mod identity;
mod lab;
mod license;
mod operation;
mod reconciliation;
mod session;
mod worker;
mod worker_input;
mod worker_metrics;
mod worker_power;

pub use backup::{BackupList, BackupView, RestoreLab};
pub use discovery::{DiscoveredInstanceList, DiscoveredView, DiscoveryAsked, DiscoveryAskedPlace, DiscoveryPlace};
pub use event::{EventList, EventView};
pub use evidence::{EvidenceList, EvidencePointerView, EvidenceView};
pub use fleet::{FleetMetrics, Health};
pub use identity::{ApiKeyList, ApiKeyView, CreateApiKey, NewApiKey, Whoami};
pub use lab::{LabLinkView, LabList, LabNodeView, LabReconciliation, LabResources, LabView, Topology, UpdateLab};
pub use license::{LicenseFeatureView, LicenseSeats, RegisterLicense, WorkerLicense};
pub use operation::{OperationList, OperationView};
pub use reconciliation::{ReconciliationStatsView, SetDesiredState};
pub use session::{Logout, SessionView};
pub use worker::{WorkerList, WorkerView};
pub use worker_input::{CreateWorker, ImportWorkers, SetCmlCredentials, SetMonitoring, StopWorker, UpdateWorker};
pub use worker_metrics::{SampleList, SampleView};
pub use worker_power::WorkerPower;

use domain::{Actor, Timestamp};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A time, RFC 3339 in UTC to the millisecond.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time or null.
pub(crate) fn maybe_time(at: Option<Timestamp>) -> Option<String> {
    at.map(time)
}

/// Who did it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActorView {
    /// `user`, `system` or `aws`.
    pub kind: &'static str,
    /// The user's id at the identity provider.
    pub subject: Option<String>,
    /// The name to show.
    pub name: String,
}

impl From<&Actor> for ActorView {
    fn from(actor: &Actor) -> Self {
        let (kind, subject) = match actor {
            Actor::User { subject, .. } => ("user", Some(subject.clone())),
            Actor::System(_) => ("system", None),
            Actor::Aws => ("aws", None),
        };
        Self { kind, subject, name: actor.to_string() }
    }
}

/// Every schema of the document, with its name.
#[must_use]
pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut all = Vec::new();
    macro_rules! add {
        ($($name:ty),* $(,)?) => {
            $(
                all.push((<$name as ToSchema>::name().into_owned(), <$name as PartialSchema>::schema()));
                <$name as ToSchema>::schemas(&mut all);
            )*
        };
    }
    add!(
        CreateWorker,
        ImportWorkers,
        UpdateWorker,
        StopWorker,
        SetMonitoring,
        SetCmlCredentials,
        RegisterLicense,
        WorkerLicense,
        WorkerView,
        WorkerList,
        WorkerPower,
        DiscoveryAsked,
        DiscoveredInstanceList,
        SampleList,
        EventList,
        EvidenceList,
        Topology,
        UpdateLab,
        LabView,
        LabList,
        RestoreLab,
        BackupView,
        BackupList,
        SetDesiredState,
        ReconciliationStatsView,
        OperationView,
        OperationList,
        Health,
        FleetMetrics,
        SessionView,
        Logout,
        Whoami,
        CreateApiKey,
        NewApiKey,
        ApiKeyView,
        ApiKeyList,
    );
    all
}
