//! A world that holds still: for tests, never for a deployed binary.

mod files_contract;
mod memory_table;
mod secrets_contract;

pub use files_contract::check_files;
pub use memory_table::MemoryTable;
pub use secrets_contract::check_secrets;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{SignedDuration, Timestamp};

use crate::ports::{Clock, Random};

/// A clock that moves when told.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves it on.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The same "random" numbers each time.
#[derive(Debug, Default)]
pub struct CountingRandom(AtomicU64);

impl Random for CountingRandom {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
