//! The one error of the application: what went wrong, by kind, with what may be told to a caller.

use domain::{BackupId, EvidenceId, Invalid, LabRefusal, OperationId, Role, SignedDuration, WorkerId};

use crate::ports::{CmlError, Ec2Error, PortError, TableError};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The input is well-formed but wrong, by field.
    #[error("{0}")]
    Invalid(Invalid),
    /// There is no such thing, or the caller may not know of it.
    #[error("{kind} {id} does not exist")]
    NotFound {
        /// What was looked for: `worker`, `operation`.
        kind: &'static str,
        /// By which id.
        id: String,
    },
    /// The caller may not do this to it; why.
    #[error("{0}")]
    Forbidden(String),
    /// The state of the thing stands in the way; what to do about it.
    #[error("{0}")]
    Conflict(String),
    /// The caller's role is not enough for this.
    #[error("this needs the role {} or above", .0.name())]
    RoleNeeded(Role),
    /// The lab is not the caller's to act on.
    #[error(transparent)]
    NotTheirLab(#[from] LabRefusal),
    /// The caller's `If-Match` is not the current version.
    #[error("the version is {current}, not {expected}; read it again and decide anew")]
    Stale {
        /// What the caller expected.
        expected: u64,
        /// What it is.
        current: u64,
    },
    /// An idempotency key was used before, for another request.
    #[error("the idempotency key was used before for a different request")]
    KeyReused,
    /// Too often; try again after a while.
    #[error("asked again too soon; try again in {} s", retry_after.as_secs())]
    TooSoon {
        /// How long to wait.
        retry_after: SignedDuration,
    },
    /// Others wrote the same item again and again; nothing was changed.
    #[error("worker {0} is being changed by others; try again")]
    Busy(WorkerId),
    /// A store, a queue or another service failed. The text is for the log, never for a caller.
    #[error("a service this one needs did not answer")]
    Unavailable(#[source] PortError),
    /// EC2 refused or failed.
    #[error(transparent)]
    Ec2(#[from] Ec2Error),
    /// The CML controller refused or failed.
    #[error(transparent)]
    Cml(#[from] CmlError),
    /// A file is not what was kept: what cannot be had any more, and why. The text is for callers.
    #[error("{0}")]
    Damaged(String),
    /// A stored item or a message cannot be read. The text is for the log.
    #[error("stored data cannot be read")]
    Corrupt(#[source] PortError),
}

impl AppError {
    /// Whether the same request may succeed later without anyone changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::TooSoon { .. } | Self::Busy(_) | Self::Unavailable(_) => true,
            Self::Ec2(error) => error.retryable(),
            Self::Cml(error) => error.retryable(),
            Self::Invalid(_)
            | Self::NotFound { .. }
            | Self::Forbidden(_)
            | Self::Conflict(_)
            | Self::RoleNeeded(_)
            | Self::NotTheirLab(_)
            | Self::Stale { .. }
            | Self::KeyReused
            | Self::Damaged(_)
            | Self::Corrupt(_) => false,
        }
    }

    /// No such worker.
    #[must_use]
    pub fn no_worker(id: WorkerId) -> Self {
        Self::NotFound { kind: "worker", id: id.to_string() }
    }

    /// There is no such operation.
    #[must_use]
    pub fn no_operation(id: OperationId) -> Self {
        Self::NotFound { kind: "operation", id: id.to_string() }
    }

    /// There is no such backup.
    #[must_use]
    pub fn no_backup(id: BackupId) -> Self {
        Self::NotFound { kind: "backup", id: id.to_string() }
    }

    /// There is no such evidence, or none any more.
    #[must_use]
    pub fn no_evidence(id: EvidenceId) -> Self {
        Self::NotFound { kind: "evidence", id: id.to_string() }
    }
}

impl From<Invalid> for AppError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<domain::InvalidField> for AppError {
    fn from(field: domain::InvalidField) -> Self {
        Self::Invalid(field.into())
    }
}

impl From<domain::worker::Refusal> for AppError {
    fn from(refusal: domain::worker::Refusal) -> Self {
        Self::Conflict(refusal.to_string())
    }
}

impl From<TableError> for AppError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable(error) => Self::Unavailable(error),
            TableError::Malformed(error) => Self::Corrupt(error),
            TableError::BadPosition => {
                Self::Invalid(domain::InvalidField::new("cursor", "must be a next_cursor of this list").into())
            }
            // Callers who expect these handle them before.
            TableError::Condition { .. } | TableError::Conflict => {
                Self::Unavailable(PortError::new("table", error.to_string()))
            }
        }
    }
}
