//! The ways to controllers that were used lately, each with its token; the oldest gives way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use app::ports::{CmlError, CmlTarget};

use crate::token::TokenSlot;
use crate::transport::Transport;

/// A way to one controller, and the token it gave.
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) token: TokenSlot,
}

/// Bounded: a fleet may be larger than a function's memory.
pub(crate) struct Cache {
    cap: usize,
    entries: Mutex<VecDeque<(CmlTarget, Arc<Connection>)>>,
}

impl Cache {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, entries: Mutex::new(VecDeque::new()) }
    }

    /// The connection of exactly this target, made if there is none. A worker has one: a new
    /// address or certificate ends the old connection and its token.
    pub(crate) fn get(
        &self,
        target: &CmlTarget,
        make: impl FnOnce() -> Result<Transport, CmlError>,
    ) -> Result<Arc<Connection>, CmlError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            entries.iter().position(|(known, _)| known.worker == target.worker).and_then(|at| entries.remove(at));
        let connection = match known {
            Some((known, connection)) if known == *target => connection,
            _ => Arc::new(Connection { transport: make()?, token: TokenSlot::default() }),
        };
        entries.push_back((target.clone(), Arc::clone(&connection)));
        if entries.len() > self.cap {
            entries.pop_front();
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Timeouts;
    use domain::{Timestamp, WorkerId};
    use std::cell::Cell;

    fn target(worker: u128, endpoint: &str) -> CmlTarget {
        let worker = WorkerId::new(Timestamp::from_second(1).unwrap(), worker);
        CmlTarget { worker, endpoint: endpoint.into(), certificate_sha256: Some("00".into()) }
    }

    #[test]
    fn a_connection_is_kept_for_exactly_its_target_and_the_oldest_gives_way() {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (cache, made) = (Cache::new(2), Cell::new(0));
        let get = |target: CmlTarget| {
            let make = || Transport::new(&target.endpoint, None, Timeouts::default(), &provider);
            cache.get(&target, || make().inspect(|_| made.set(made.get() + 1))).unwrap();
            made.get()
        };
        let (a, b) = ("https://192.0.2.1", "https://192.0.2.2");
        assert_eq!([get(target(1, a)), get(target(1, a))], [1, 1]);
        // The address moved; and when it moves back, whoever had it meanwhile may have seen the token.
        assert_eq!([get(target(1, b)), get(target(1, a))], [2, 3]);
        let repinned = CmlTarget { certificate_sha256: Some("11".into()), ..target(1, a) };
        assert_eq!(get(repinned.clone()), 4);
        assert_eq!([get(target(2, b)), get(repinned.clone()), get(target(3, b))], [5, 5, 6]);
        // The second worker's was used least lately.
        assert_eq!([get(repinned), get(target(2, b))], [6, 7]);
        assert_eq!(cache.entries.lock().unwrap().len(), 2);
    }
}
