//! Where a worker stands between what is wanted and what is: which wish holds, and what came of nobody's wish.

use super::{DesiredState, Worker, WorkerStatus};
use crate::drift::DriftKind;
use jiff::{SignedDuration, Timestamp};

/// A call that was made for the wish before may take effect this long after a new wish.
const CALL_TAKES_EFFECT_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// Which wish holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The number of the event that made it: another number is another wish, even for the same state.
    pub number: u64,
    /// Since when.
    pub at: Timestamp,
    /// The wish before it, if that was not fulfilled yet: a call made for it may still take effect.
    pub overtook: Option<DesiredState>,
    /// An attempt at it ended without it, and nothing was begun for it since: what is told of the worker tells of that.
    pub unfulfilled: bool,
}

impl Wish {
    /// A wish that overtook none.
    #[must_use]
    pub fn new(number: u64, at: Timestamp) -> Self {
        Self { number, at, overtook: None, unfulfilled: false }
    }

    /// A change towards `desired` at `now` may come of the wish before, and so of nobody's hand.
    #[must_use]
    pub fn may_be_overtaken(&self, desired: DesiredState, now: Timestamp) -> bool {
        self.overtook == Some(desired) && now.duration_since(self.at) <= CALL_TAKES_EFFECT_WITHIN
    }
}

/// What EC2 did that nobody wished for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// What, and by whom as far as EC2 tells.
    pub kind: DriftKind,
    /// When it was seen.
    pub at: Timestamp,
}

impl Worker {
    /// It is what is wanted.
    #[must_use]
    pub fn is_as_wished(&self) -> bool {
        self.is_as_wished_for(self.desired)
    }

    /// It is what would be wanted with that wish.
    #[must_use]
    pub fn is_as_wished_for(&self, desired: DesiredState) -> bool {
        match desired {
            DesiredState::Running => self.status == WorkerStatus::Running,
            DesiredState::Stopped => self.status == WorkerStatus::Stopped,
            DesiredState::Terminated => self.status == WorkerStatus::Terminated,
        }
    }
}
