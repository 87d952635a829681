//! The judgements of CML Cloud Manager, and nothing else.
//!
//! Everything here is pure and total: no I/O, no clock, no environment, no randomness. Time and
//! random numbers are arguments, and every judgement says why in words a user can read. What is
//! stored, sent or shown has its own types elsewhere; these never derive serde.

pub mod access;
pub mod activity;
pub mod actor;
pub mod backup;
pub mod capacity;
pub mod decision;
pub mod discovery;
pub mod drift;
pub mod evidence;
#[cfg(test)]
mod fixture;
pub mod id;
pub mod instance;
pub mod invalid;
pub mod lab;
pub mod license;
pub mod metrics;
pub mod operation;
pub mod ownership;
pub mod pass_through;
pub mod power;
pub mod price;
pub mod reconcile;
pub mod session;
pub mod worker;

pub use access::{ApiKey, ApiKeyId, KeyKind, KeyRefusal, Right, Scope};
pub use actor::{Actor, Role};
pub use id::{AccountId, BackupId, EvidenceId, InstanceId, LabId, OperationId, Place, Region, WorkerId};
pub use invalid::{Invalid, InvalidField};
pub use jiff::{SignedDuration, Timestamp};
pub use ownership::{LabOwners, LabRefusal, Sight, Visibility};
