//! What every use case needs: the store, the queues, the clocks and the settings.

use std::sync::Arc;

use domain::{SignedDuration, Timestamp};

use crate::ports::{Clock, Queues, Random, Table};
use crate::settings::Settings;
use crate::store::Store;

/// The longest that answering a request may take, to its end or to being given up.
pub const REQUEST_TIME_LIMIT: SignedDuration = SignedDuration::from_secs(20);

/// What every use case needs. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The typed repositories on the table.
    pub store: Store,
    /// The queues.
    pub queues: Arc<dyn Queues>,
    /// Fleet time: boots, idle timeouts, deadlines, everything a user reads.
    pub fleet_clock: Arc<dyn Clock>,
    /// Machine time: leases, throttles, idempotency.
    pub machine_clock: Arc<dyn Clock>,
    /// Random numbers.
    pub random: Arc<dyn Random>,
    /// The settings.
    pub settings: Arc<Settings>,
}

impl Context {
    /// A context over its parts.
    pub fn new(
        table: Arc<dyn Table>,
        queues: Arc<dyn Queues>,
        fleet_clock: Arc<dyn Clock>,
        machine_clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: Settings,
    ) -> Self {
        Self { store: Store::new(table), queues, fleet_clock, machine_clock, random, settings: Arc::new(settings) }
    }

    /// Fleet time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.fleet_clock.now()
    }
}
