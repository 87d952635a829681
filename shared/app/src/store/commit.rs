//! One transaction: a snapshot with its events, and whatever must be true together with it.

use domain::operation::Operation;
use domain::worker::{Change, Worker};
use domain::{InstanceId, OperationId, Place, SignedDuration, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::due_item::{self, PowerDue};
use super::endings::EndingChange;
use super::event_item::event_items;
use super::lab_wishes::LabWishChange;
use super::operation_item::operation_item;
use super::tally::fleet_run_write;
use super::worker_item::worker_item;
use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, TableError, Write};

/// What a request with an idempotency key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Hash of caller, function and key.
    pub key_hash: String,
    /// Hash of the request.
    pub fingerprint: String,
    /// The operation it started.
    pub operation_id: OperationId,
    /// Until when the key is kept, machine time.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct IdempotencyItem {
    schema: u32,
    fingerprint: String,
    operation_id: String,
    kept_until: Timestamp,
}

/// What is written together, or not at all.
#[derive(Default)]
pub struct Commit {
    /// A worker's snapshot and events.
    pub change: Option<Change>,
    /// A worker that must still have this version, though nothing of it changes.
    pub unchanged: Option<(WorkerId, u64)>,
    /// A new operation. It is sent at once; should that be lost, it is due a little later.
    pub operation: Option<Operation>,
    /// When the worker's power is judged next.
    pub power: Option<PowerDue>,
    /// The boot script of a new worker.
    pub user_data: Option<(WorkerId, String)>,
    /// The instance that this worker alone may stand for.
    pub claim: Option<(Place, InstanceId, WorkerId)>,
    /// What is wished of a lab.
    pub lab_wish: Option<LabWishChange>,
    /// The operation judges the whole fleet, after the record of such operations with this version.
    pub fleet_run: Option<Option<u64>>,
    /// The end of the worker.
    pub ending: Option<EndingChange>,
    /// The key under which the request came, and machine time now.
    pub idempotency: Option<(IdempotencyRecord, Timestamp)>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The worker has another version by now.
    #[error("the worker was changed by others")]
    WorkerChanged,
    /// Another transaction touched the same items at the same moment; it may be tried again.
    #[error("others write the same items")]
    Contended,
    /// Another worker stands for the instance.
    #[error("another worker stands for the instance")]
    InstanceClaimed,
    /// The idempotency key was used before.
    #[error("the idempotency key was used before")]
    KeyUsed,
    /// Something else.
    #[error(transparent)]
    Other(#[from] AppError),
}

/// When an accepted operation is sent again, if the first message was lost: the send follows the write
/// at once, so that being due at once would only deliver it twice.
const RESEND_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Which write of a transaction guards what.
#[derive(Clone, Copy, PartialEq)]
enum Guard {
    Worker,
    Claim,
    Key,
    /// Something else that others may write at the same time.
    Shared,
    Free,
}

impl Store {
    /// Writes all of it, or nothing.
    ///
    /// # Errors
    /// Which guard did not hold, or what failed.
    pub async fn commit(&self, commit: &Commit, operation_retention: SignedDuration) -> Result<(), CommitError> {
        let mut writes: Vec<(Guard, Write)> = Vec::new();
        if let Some(change) = &commit.change {
            writes.push((Guard::Worker, snapshot_write(&change.worker, change.expected_version)));
            // An event's number is free exactly when the snapshot had the expected version.
            let events = event_items(change).into_iter();
            writes.extend(events.map(|item| (Guard::Worker, Write::Put(item, Condition::NotExists))));
        }
        if let Some((id, version)) = &commit.unchanged {
            writes.push((Guard::Worker, Write::Check(keys::worker(*id), Condition::Version(*version))));
        }
        if let Some(operation) = &commit.operation {
            let due = due_item::operation_due_item(operation, operation.requested_at + RESEND_AFTER);
            writes
                .push((Guard::Free, Write::Put(operation_item(operation, operation_retention), Condition::NotExists)));
            writes.push((Guard::Free, Write::Put(due, Condition::None)));
            if let Some(expected) = commit.fleet_run {
                writes.push((Guard::Shared, fleet_run_write(operation.id, expected)));
            }
        }
        writes.extend(commit.lab_wish.iter().map(|change| (Guard::Shared, change.write())));
        let begun = commit.operation.as_ref().map(|operation| operation.id);
        let ending = commit.ending.and_then(|change| change.write(begun));
        writes.extend(ending.map(|write| (Guard::Worker, write)));
        if let Some(power) = &commit.power {
            // Whoever judged it meanwhile may have begun something: then all of this is judged anew.
            writes.push((Guard::Worker, Write::Put(due_item::power_item(power), power.follows())));
        }
        if let Some((worker, script)) = &commit.user_data {
            writes.push((Guard::Free, Write::Put(user_data_item(*worker, script), Condition::None)));
        }
        if let Some((place, instance, worker)) = &commit.claim {
            writes.push((Guard::Claim, Write::Put(claim_item(place, instance, *worker), Condition::NotExists)));
        }
        if let Some((key, machine_now)) = &commit.idempotency {
            let condition = Condition::NotExistsOrExpiredBefore(*machine_now);
            writes.push((Guard::Key, Write::Put(idempotency_item(key), condition)));
        }
        let (guards, writes): (Vec<Guard>, Vec<Write>) = writes.into_iter().unzip();
        if writes.is_empty() {
            return Ok(());
        }
        self.table.transact(writes).await.map_err(|error| match error {
            TableError::Condition { failed } => refused(&guards, &failed),
            TableError::Conflict => CommitError::Contended,
            other => CommitError::Other(other.into()),
        })
    }

    /// What a request with that key did, if the key is still kept.
    ///
    /// # Errors
    /// The table failed.
    pub async fn idempotency(&self, hash: &str, machine_now: Timestamp) -> Result<Option<IdempotencyRecord>, AppError> {
        let Some(item) = self.table.get(&keys::idempotency(hash)).await? else { return Ok(None) };
        let record: IdempotencyItem = record::read(&item)?;
        if record.kept_until < machine_now {
            return Ok(None);
        }
        Ok(Some(IdempotencyRecord {
            key_hash: hash.to_owned(),
            fingerprint: record.fingerprint,
            operation_id: record.operation_id.parse().map_err(record::bad_field)?,
            expires_at: record.kept_until,
        }))
    }

    /// The worker that stands for an instance.
    ///
    /// # Errors
    /// The table failed.
    pub async fn claimant(&self, place: &Place, instance: &InstanceId) -> Result<Option<WorkerId>, AppError> {
        let Some(item) = self.table.get(&keys::claim(place, instance)).await? else { return Ok(None) };
        let id = item.attributes.get("worker_id").and_then(|id| id.as_str()).unwrap_or_default();
        Ok(Some(id.parse().map_err(record::bad_field)?))
    }
}

fn refused(guards: &[Guard], failed: &[usize]) -> CommitError {
    let any = |wanted: Guard| failed.iter().any(|n| guards.get(*n) == Some(&wanted));
    // A used key says more than a changed worker: the request was carried out before. And a changed
    // worker says more than a claimed instance: another delivery may have claimed it for this very worker.
    if any(Guard::Key) {
        CommitError::KeyUsed
    } else if any(Guard::Shared) && !any(Guard::Worker) {
        CommitError::Contended
    } else if any(Guard::Claim) && !any(Guard::Worker) {
        CommitError::InstanceClaimed
    } else {
        CommitError::WorkerChanged
    }
}

fn snapshot_write(worker: &Worker, expected_version: u64) -> Write {
    let condition = if expected_version == 0 { Condition::NotExists } else { Condition::Version(expected_version) };
    Write::Put(worker_item(worker), condition)
}

fn claim_item(place: &Place, instance: &InstanceId, worker: WorkerId) -> Item {
    let key = keys::claim(place, instance);
    let attributes = record::attributes(&serde_json::json!({ "schema": 1, "worker_id": worker.to_string() }));
    Item { pk: key.pk, sk: key.sk, attributes, ..Item::default() }
}

fn user_data_item(worker: WorkerId, script: &str) -> Item {
    let key = keys::user_data(worker);
    let attributes = record::attributes(&serde_json::json!({ "schema": 1, "user_data": script }));
    Item { pk: key.pk, sk: key.sk, attributes, ..Item::default() }
}

fn idempotency_item(record: &IdempotencyRecord) -> Item {
    let key = keys::idempotency(&record.key_hash);
    let attributes = record::attributes(&IdempotencyItem {
        schema: 1,
        fingerprint: record.fingerprint.clone(),
        operation_id: record.operation_id.to_string(),
        kept_until: record.expires_at,
    });
    Item { pk: key.pk, sk: key.sk, expires_at: Some(record.expires_at), attributes, ..Item::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_guards_that_did_not_hold_the_one_that_says_most_is_told() {
        let guards = [Guard::Worker, Guard::Free, Guard::Claim, Guard::Key];
        assert!(matches!(refused(&guards, &[0, 2, 3]), CommitError::KeyUsed));
        // Two deliveries attach the same instance: the later one looks at the worker again.
        assert!(matches!(refused(&guards, &[0, 2]), CommitError::WorkerChanged));
        assert!(matches!(refused(&guards, &[2]), CommitError::InstanceClaimed));
        assert!(matches!(refused(&guards, &[1]), CommitError::WorkerChanged));
        assert!(matches!(refused(&[Guard::Worker, Guard::Shared], &[1]), CommitError::Contended));
    }
}
