//! The rules, and what it is to break one.

use std::fmt;

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Never two live instances for one worker.
    OneInstance,
    /// No instance of ours that no worker claims, once things settle.
    NoOrphan,
    /// Nothing is terminated, stopped, started or launched without a wish.
    OnlyAsWished,
    /// Nothing is stopped for idleness that is in use, or that may not be.
    NoStopInUse,
    /// A wish is written together with the operation that sees to it.
    WishSeenTo,
    /// What a host's failure did is told as that, and not taken for somebody's wish.
    HostFailureTold,
    /// What is there is never called gone.
    NotGoneWhileThere,
    /// What a person did by hand is not undone before its time.
    HandRespected,
    /// What others wrote is not overwritten: a version only rises, and an event stays as it is.
    NothingOverwritten,
    /// A launch or a start that is awaited is not made again, unless something says that it failed.
    OncePerGrace,
    /// One at a time judges a worker.
    JudgedOneAtATime,
    /// Every operation ends.
    OperationsEnd,
    /// Every committed event is published.
    EventsPublished,
    /// Every wish comes true, or it is said why not.
    WishesConverge,
    /// What nobody uses is stopped in time.
    IdleStopped,
    /// Credentials go to the worker's own controller only.
    CredentialsAtHome,
    /// No message is lost.
    NoMessageLost,
    /// What has to be looked at again is due.
    StaysDue,
    /// Nothing is lost with a worker that is ended the safe way.
    LabsSaved,
    /// Nor is a seat of its licence.
    SeatsBack,
    /// An end that says that it is done leaves no machine.
    EndMeansGone,
    /// An end that was taken back does not come.
    TakenBackStays,
    /// A worker is not being ended for ever.
    EndingsEnd,
    /// Nothing is done to labs of a worker that is being ended.
    NothingAtAnEnd,
    /// Nothing is done to labs that nobody asked for.
    LabsAsWished,
    /// What is being done to a lab is not begun once more.
    LabOncePerGrace,
    /// What a person did to a lab in CML is not undone before its time.
    LabHandRespected,
    /// Every wish for a lab comes true, or it is said why not.
    LabWishesConverge,
    /// In `SAFE_MODE` nothing is changed, and while the fleet is frozen nothing is destroyed.
    BrakesHold,
    /// An instance is one worker's.
    OneClaim,
    /// What nobody took over is left alone.
    OnlyOurs,
}

/// A violation, with when and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// When, in simulated time.
    pub at: String,
    /// What happened.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}: {}", self.rule, self.at, self.detail)
    }
}
