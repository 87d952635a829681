//! When an invocation must have its answer.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

/// What is kept back of an invocation's time, to hand over the answer before Lambda ends the process.
const KEPT_BACK: Duration = Duration::from_secs(1);

/// The moment at which an invocation gives up what is not done, and answers for what is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// Of an invocation that is ended in `time_left`.
    pub(crate) fn before(time_left: Duration) -> Self {
        Self(Instant::now() + time_left.saturating_sub(KEPT_BACK))
    }

    /// What comes of `work`, if it is done in time. What is not is dropped where it stands: to the
    /// rest of the system a crash like any other. After the deadline nothing is begun.
    pub(crate) async fn within<T>(self, work: impl Future<Output = T>) -> Option<T> {
        if self.0 <= Instant::now() {
            return None;
        }
        timeout_at(self.0, work).await.ok()
    }

    /// Ends at the deadline.
    pub(crate) async fn passed(self) {
        sleep_until(self.0).await;
    }
}
