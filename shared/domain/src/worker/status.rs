//! The states of a worker, and the wish beside them.

/// What a worker is doing, as far as anyone has seen.
///
/// `pending -> provisioning -> running <-> stopping -> stopped -> starting -> running`, and
/// `terminating -> terminated`. `failed` and `unknown` are honest answers, not errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerStatus {
    /// Recorded; no instance yet.
    Pending,
    /// Its instance boots for the first time.
    Provisioning,
    /// Its instance runs, and is billed.
    Running,
    /// Its instance is being stopped.
    Stopping,
    /// Its instance is stopped; volumes are still billed.
    Stopped,
    /// Its instance boots again.
    Starting,
    /// Its instance is being terminated.
    Terminating,
    /// EC2 said so: there is no instance any more.
    Terminated,
    /// A launch failed for good, or the instance was lost.
    Failed,
    /// EC2 used a word this version does not know.
    Unknown,
}

impl WorkerStatus {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Provisioning,
        Self::Running,
        Self::Stopping,
        Self::Stopped,
        Self::Starting,
        Self::Terminating,
        Self::Terminated,
        Self::Failed,
        Self::Unknown,
    ];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Provisioning => "provisioning",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Terminating => "terminating",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Its machine runs, or may run.
    #[must_use]
    pub fn may_run(self) -> bool {
        matches!(self, Self::Provisioning | Self::Starting | Self::Running | Self::Unknown)
    }

    /// There is nothing left to manage, and nothing left to ask EC2.
    #[must_use]
    pub fn is_final(self) -> bool {
        self == Self::Terminated
    }
}

/// What somebody, or a policy, wants of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DesiredState {
    /// It should run.
    Running,
    /// It should be stopped.
    Stopped,
    /// It should be gone.
    Terminated,
}

impl DesiredState {
    /// Every wish.
    pub const ALL: [Self; 3] = [Self::Running, Self::Stopped, Self::Terminated];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
        }
    }

    /// The wish of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|desired| desired.name() == name)
    }
}
