//! How patient and how stubborn reconciliation is.

use jiff::SignedDuration;

/// The rules, from the settings. Of workers and of labs there is one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcilePolicy {
    /// How long something may take after it was launched or started before it is looked into, and
    /// before the same is done again when nothing says that it failed.
    pub grace: SignedDuration,
    /// Attempts for one wish that are made at once.
    pub free_attempts: u32,
    /// How long to wait before the attempt after those; doubled each time.
    pub backoff_first: SignedDuration,
    /// The longest wait between two attempts.
    pub backoff_most: SignedDuration,
    /// Attempts for one wish before it is given up.
    pub attempts_max: u32,
    /// How long what somebody did by hand is left so.
    pub manual_change_hold: SignedDuration,
    /// How often what is not settled is judged.
    pub check_every: SignedDuration,
    /// The same for what is settled.
    pub check_settled_every: SignedDuration,
}

impl ReconcilePolicy {
    /// Of workers. Bare metal takes 5 to 10 minutes to come up, and as long again until CML answers.
    /// Source: Cisco's cloud-cml, documentation for AWS (`m5zn.metal`).
    #[must_use]
    pub fn workers() -> Self {
        Self {
            grace: SignedDuration::from_mins(20),
            free_attempts: 2,
            backoff_first: SignedDuration::from_mins(1),
            backoff_most: SignedDuration::from_mins(30),
            attempts_max: 8,
            manual_change_hold: SignedDuration::from_hours(12),
            check_every: SignedDuration::from_mins(5),
            check_settled_every: SignedDuration::from_mins(15),
        }
    }

    /// Of labs.
    #[must_use]
    pub fn labs() -> Self {
        Self { grace: SignedDuration::from_mins(2), attempts_max: 5, ..Self::workers() }
    }

    /// How long to wait after attempt `attempts` before the next one: nothing while they are free, then
    /// doubled each time and capped.
    #[must_use]
    pub fn backoff(&self, attempts: u32) -> SignedDuration {
        let Some(beyond) = attempts.checked_sub(self.free_attempts) else { return SignedDuration::ZERO };
        let doubled = self.backoff_first.as_secs().saturating_mul(1_i64 << beyond.min(20));
        SignedDuration::from_secs(doubled.min(self.backoff_most.as_secs()))
    }
}
