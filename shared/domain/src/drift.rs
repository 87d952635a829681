//! How what is differs from what is wanted, and what is done about it.

use jiff::Timestamp;

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
