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

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing: it is as wished.
    None,
    /// Nothing yet.
    Wait,
    /// Launch what never had an instance.
    Launch,
    /// Start what is stopped.
    Start,
    /// Stop what runs.
    Stop,
    /// Terminate what is wanted gone.
    Terminate,
    /// Launch anew what was lost.
    Relaunch,
    /// Ask a person: what would be right is not ours to decide.
    Ask,
    /// Judge it no more: there is nothing left of it.
    Forget,
    /// Somebody should look: it takes longer than it should.
    Investigate,
    /// Try no more until somebody wishes again.
    GiveUp,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Wait,
        Self::Launch,
        Self::Start,
        Self::Stop,
        Self::Terminate,
        Self::Relaunch,
        Self::Ask,
        Self::Forget,
        Self::Investigate,
        Self::GiveUp,
    ];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Wait => "wait",
            Self::Launch => "launch",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Terminate => "terminate",
            Self::Relaunch => "relaunch",
            Self::Ask => "ask",
            Self::Forget => "forget",
            Self::Investigate => "investigate",
            Self::GiveUp => "give_up",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// It starts an operation.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(self, Self::Launch | Self::Start | Self::Stop | Self::Terminate | Self::Relaunch)
    }

    /// It ends what runs or destroys what is: the brakes stop it.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Stop | Self::Terminate)
    }
}

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do now.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
    /// What is done if nothing happens until then.
    pub next: Option<(Action, Timestamp)>,
    /// When to judge again.
    pub next_check_at: Timestamp,
}

/// How what is differs from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriftKind {
    /// Somebody stopped it at EC2, or from within.
    StoppedByHand,
    /// Somebody started it at EC2.
    StartedByHand,
    /// Somebody terminated it at EC2.
    TerminatedByHand,
    /// EC2 lists it no more, and nobody knows why.
    InstanceGone,
    /// EC2 took it away or stopped it: its host failed, or its capacity was reclaimed.
    HostFailure,
    /// EC2 ended it for what it was launched with: its image, its volumes.
    LaunchFault,
    /// It has another type than was asked for.
    InstanceType,
    /// Its tags in EC2 are not those kept here.
    Tags,
    /// It got another address while it ran.
    Address,
    /// Somebody stopped a lab in CML.
    LabStopped,
    /// Somebody started a lab in CML.
    LabStarted,
}

impl DriftKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::StoppedByHand,
        Self::StartedByHand,
        Self::TerminatedByHand,
        Self::InstanceGone,
        Self::HostFailure,
        Self::LaunchFault,
        Self::InstanceType,
        Self::Tags,
        Self::Address,
        Self::LabStopped,
        Self::LabStarted,
    ];

    /// The name in items, events and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StoppedByHand => "stopped_by_hand",
            Self::StartedByHand => "started_by_hand",
            Self::TerminatedByHand => "terminated_by_hand",
            Self::InstanceGone => "instance_gone",
            Self::HostFailure => "host_failure",
            Self::LaunchFault => "launch_fault",
            Self::InstanceType => "instance_type",
            Self::Tags => "tags",
            Self::Address => "address",
            Self::LabStopped => "lab_stopped",
            Self::LabStarted => "lab_started",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// It is about whether the worker runs.
    #[must_use]
    pub fn is_of_power(self) -> bool {
        match self {
            Self::StoppedByHand
            | Self::StartedByHand
            | Self::TerminatedByHand
            | Self::InstanceGone
            | Self::HostFailure
            | Self::LaunchFault => true,
            Self::InstanceType | Self::Tags | Self::Address | Self::LabStopped | Self::LabStarted => false,
        }
    }

    /// What is done about it.
    #[must_use]
    pub fn treatment(self) -> Treatment {
        match self {
            Self::HostFailure | Self::Tags => Treatment::Healed,
            Self::StoppedByHand | Self::StartedByHand | Self::LabStopped | Self::LabStarted => Treatment::Respected,
            Self::TerminatedByHand | Self::InstanceGone | Self::LaunchFault => Treatment::Asked,
            Self::InstanceType | Self::Address => Treatment::Left,
        }
    }
}

/// What is done about a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is made right again.
    Healed,
    /// It is left for a stated time, and then made right.
    Respected,
    /// A person is asked; nothing is done without an answer.
    Asked,
    /// It is shown, and left.
    Left,
}

impl Treatment {
    /// The name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Respected => "respected",
            Self::Asked => "asked",
            Self::Left => "left",
        }
    }
}

/// One difference between what is and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Which.
    pub kind: DriftKind,
    /// What it was, or should be.
    pub was: String,
    /// What it is.
    pub is: String,
    /// Since when it is known.
    pub since: Timestamp,
}

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

/// A time as people read it in a reason: to the minute, with its zone.
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
