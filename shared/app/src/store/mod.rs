//! Typed repositories on the table. The only place that knows how things are stored.

mod actor;
mod api_keys;
mod backups;
mod capacity;
mod commit;
mod discovered;
mod due_item;
mod endings;
mod event_item;
mod evidence;
mod fleet;
mod issuer_keys;
mod keys;
mod lab_item;
mod lab_wishes;
mod labs;
mod leases;
mod logins;
mod operation_item;
mod operations;
mod reconcile_item;
mod record;
mod sessions;
mod tally;
mod task_item;
mod telemetry;
mod telemetry_item;
mod worker_item;
mod worker_parts;
mod workers;

use std::sync::Arc;

pub use api_keys::{KeySecret, SigningSecret, StoredKey};
pub use capacity::KnownShortage;
pub use commit::{Commit, CommitError, IdempotencyRecord};
pub use discovered::PlaceLook;
pub use due_item::{Due, DueKind, PowerDue};
pub use endings::{Ending, EndingChange, EndingStage};
pub use event_item::StoredEvent;
pub use fleet::FleetState;
pub use keys::EVENT_PREFIX;
pub use lab_item::KnownLab;
pub use lab_wishes::{LabWishChange, StoredWish};
pub use labs::KnownLabs;
pub use leases::Lease;
pub use logins::PendingLogin;
pub use sessions::StoredSession;
pub use tally::{Counted, Counts, LastRun, ReconciliationCounts};
pub use telemetry::Telemetry;
pub use telemetry_item::{AwsReadings, CmlReadings, Readings, Sample};

use crate::ports::Table;

/// The typed repositories. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    table: Arc<dyn Table>,
}

impl Store {
    /// Repositories on `table`.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where to go on, when there may be more.
    pub next: Option<String>,
}
