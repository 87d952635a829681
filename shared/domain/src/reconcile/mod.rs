//! What is wanted is kept true: one judgement for a worker, one for a lab, and what they share.
//!
//! A judgement is pure and total: it is given what is wanted, what was seen, what was tried for this
//! wish so far ([`ReconcileRecord`]) and the rules ([`ReconcilePolicy`]), and answers what to do, why, and when
//! to judge again. It does nothing itself: whoever asked starts at most one operation and keeps the
//! record in the same transaction.

pub mod lab;
mod policy;
mod record;
pub mod worker;

pub use policy::ReconcilePolicy;
pub use record::{Failure, LastAction, ReconcileRecord, is_terminal};

use jiff::Timestamp;

/// How far something has come on its way to what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionKind {
    /// It has an instance.
    Launched,
    /// Its controller has answered since it was started.
    Registered,
    /// CML can be used.
    Ready,
    /// Its licence is in compliance.
    Licensed,
    /// It differs from what is wanted.
    Drifted,
}

impl ConditionKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Launched, Self::Registered, Self::Ready, Self::Licensed, Self::Drifted];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Registered => "registered",
            Self::Ready => "ready",
            Self::Licensed => "licensed",
            Self::Drifted => "drifted",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Whether a condition holds, and since when it does or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub kind: ConditionKind,
    /// Whether it holds.
    pub holds: bool,
    /// Since when.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests;
