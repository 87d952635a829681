//! Fleet time. Machine time and random numbers are those of the functions.

use std::sync::{Arc, Mutex, PoisonError};

use app::ports::Clock;
use domain::{SignedDuration, Timestamp};
use local_state::{Documents, StateError};

const KIND: &str = "clock";
const ID: &str = "fleet";
/// How much machine time one reservation lasts. After a kill, fleet time leaps by at most this
/// much (times the speed); a second would be ten minutes at `--speed 600`.
const RESERVATION: SignedDuration = SignedDuration::from_millis(250);

/// The time that the simulated fleet lives by: `speed` times as fast as machine time.
///
/// It never runs back, not even over `kill -9`: a mark ahead of it is stored before it gets there,
/// and the next start goes on from the mark.
pub(crate) struct FleetClock {
    machine: Arc<dyn Clock>,
    documents: Documents,
    speed: i32,
    started: Timestamp,
    base: Timestamp,
    state: Mutex<State>,
}

struct State {
    /// The latest time given out.
    last: Timestamp,
    /// Stored: nothing later than this is given out.
    mark: Timestamp,
}

impl FleetClock {
    /// Goes on from where it was, or from machine time, whichever is later.
    ///
    /// # Errors
    /// The mark could not be read.
    pub(crate) fn open(documents: Documents, machine: Arc<dyn Clock>, speed: u32) -> Result<Self, StateError> {
        let started = machine.now();
        let base = documents.get::<Timestamp>(KIND, ID)?.map_or(started, |mark| mark.max(started));
        let speed = i32::try_from(speed).unwrap_or(i32::MAX);
        let state = Mutex::new(State { last: base, mark: base });
        Ok(Self { machine, documents, speed, started, base, state })
    }

    /// Stores exactly where it is, so that an orderly restart leaps over nothing.
    ///
    /// # Errors
    /// The mark could not be written.
    pub(crate) fn settle(&self) -> Result<(), StateError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.documents.put(KIND, ID, &state.last)?;
        state.mark = state.last;
        Ok(())
    }

    /// Where fleet time would be, had nothing to be stored.
    fn wanted(&self) -> Timestamp {
        let elapsed = self.machine.now().duration_since(self.started).max(SignedDuration::ZERO);
        elapsed
            .checked_mul(self.speed)
            .and_then(|elapsed| self.base.checked_add(elapsed).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

impl Clock for FleetClock {
    fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.wanted().max(state.last);
        if wanted >= state.mark {
            let mark = wanted.saturating_add(RESERVATION * self.speed).unwrap_or(Timestamp::MAX);
            match self.documents.put(KIND, ID, &mark) {
                Ok(()) => state.mark = mark,
                // A time that is not reserved might be given out twice: stand still instead.
                Err(error) => tracing::error!(%error, "the fleet clock stands still: its mark cannot be stored"),
            }
        }
        state.last = wanted.min(state.mark);
        state.last
    }
}

#[cfg(test)]
mod tests {
    use app::testing::ManualClock;

    use super::*;

    fn machine() -> Arc<ManualClock> {
        Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()))
    }

    #[test]
    fn fleet_time_runs_faster_and_begins_at_machine_time() {
        let machine = machine();
        let clock = FleetClock::open(Documents::in_memory().unwrap(), machine.clone(), 600).unwrap();
        assert_eq!(clock.now(), machine.now());
        machine.advance(SignedDuration::from_secs(1));
        assert_eq!(clock.now(), "2026-11-20T10:10:00Z".parse().unwrap());
    }

    #[test]
    fn fleet_time_never_runs_back_over_a_kill_a_slower_speed_or_a_machine_clock_set_back() {
        let (documents, machine) = (Documents::in_memory().unwrap(), machine());
        let fast = FleetClock::open(documents.clone(), machine.clone(), 3600).unwrap();
        let mut last = fast.now();
        for _ in 0..50 {
            machine.advance(SignedDuration::from_millis(77));
            let now = fast.now();
            assert!(now > last);
            last = now;
        }
        machine.advance(SignedDuration::from_secs(-30));
        assert!(fast.now() >= last);
        // Dropped without settling, as a kill does.
        drop(fast);
        let slow = FleetClock::open(documents, machine.clone(), 1).unwrap();
        let restarted = slow.now();
        assert!(restarted >= last);
        assert!(restarted.duration_since(last) <= RESERVATION * 3600);
        machine.advance(SignedDuration::from_secs(5));
        assert_eq!(slow.now().duration_since(restarted), SignedDuration::from_secs(5));
    }

    #[test]
    fn an_orderly_stop_leaps_over_nothing() {
        let (documents, machine) = (Documents::in_memory().unwrap(), machine());
        let first = FleetClock::open(documents.clone(), machine.clone(), 600).unwrap();
        machine.advance(SignedDuration::from_secs(1));
        let stopped = first.now();
        first.settle().unwrap();
        assert_eq!(FleetClock::open(documents, machine, 600).unwrap().now(), stopped);
    }
}
