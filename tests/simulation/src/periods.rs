//! Periods of a day: somebody switched `SAFE_MODE` on, or the table's lists of workers are empty.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::executor::{HOUR, MINUTE, Moment, Sim};
use crate::faults::{Fault, Weather};

/// From when to when.
type Period = (Moment, Moment);

/// The periods, as they come.
pub(crate) struct Periods {
    sim: Arc<Sim>,
    weather: Arc<Weather>,
    safe: Mutex<Period>,
    empty: Mutex<Period>,
}

fn get(of: &Mutex<Period>) -> MutexGuard<'_, Period> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Periods {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>) -> Arc<Self> {
        let (sim, weather) = (sim.clone(), weather.clone());
        Arc::new(Self { sim, weather, safe: Mutex::default(), empty: Mutex::default() })
    }

    /// Since when `SAFE_MODE` is on, while it is.
    pub(crate) fn safe_since(&self) -> Option<Moment> {
        let (from, to) = *get(&self.safe);
        (from..to).contains(&self.sim.now()).then_some(from)
    }

    /// Whether lists of workers are empty.
    pub(crate) fn store_is_empty(&self) -> bool {
        let (from, to) = *get(&self.empty);
        (from..to).contains(&self.sim.now())
    }

    /// Their luck is drawn once an hour.
    pub(crate) async fn come(self: Arc<Self>) {
        while self.weather.is_bad() {
            let time = self.sim.pick(MINUTE, HOUR);
            self.sim.pause(time).await;
            let until = |time: Moment| (self.sim.now() + time).min(self.weather.until());
            for (fault, of, what) in
                [(Fault::SafeMode, &self.safe, "SAFE_MODE is on"), (Fault::StoreEmpty, &self.empty, "lists are empty")]
            {
                if self.weather.strikes(fault) {
                    let until = until(self.weather.trouble_time());
                    *get(of) = (self.sim.now(), until);
                    self.sim.note(|| format!("{what} until {}", Sim::timestamp(until)));
                }
            }
            self.sim.pause(HOUR - time).await;
        }
    }
}
