//! Every key of the table, in one place.

use domain::capacity::Market;
use domain::{ApiKeyId, BackupId, EvidenceId, InstanceId, LabId, OperationId, Place, Timestamp, WorkerId};

use crate::ports::ItemKey;

/// Partition of the list of all workers.
pub(super) const WORKERS: &str = "WORKERS";
/// Partition of the sparse list of running workers.
pub(super) const RUNNING: &str = "RUNNING";
/// Partition of the list of all operations.
pub(super) const OPERATIONS: &str = "OPERATIONS";
/// Feeds and due lists are spread over so many partitions: one takes 1,000 writes a second.
pub(super) const SHARDS: u8 = 4;

pub(super) fn worker(id: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), "WORKER")
}

pub(super) fn user_data(id: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), "USER-DATA")
}

/// Which operation ends the worker.
pub(super) fn ending(id: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), "ENDING")
}

/// What every sort key of an event begins with, and no other key of the table: by it the stream is filtered.
pub const EVENT_PREFIX: &str = "EVENT#";

pub(super) fn event(id: WorkerId, sequence: u64) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), format!("{EVENT_PREFIX}{sequence:012}"))
}

/// What every sort key of evidence begins with. The id after it begins with the time of the failure.
pub(super) const EVIDENCE_PREFIX: &str = "EVIDENCE#";

pub(super) fn evidence(worker: WorkerId, id: EvidenceId) -> ItemKey {
    ItemKey::new(format!("WORKER#{worker}"), format!("{EVIDENCE_PREFIX}{id}"))
}

/// Partition of the list of the labs of all workers.
pub(super) const LABS: &str = "LABS";
/// What every sort key of a lab begins with.
pub(super) const LAB_PREFIX: &str = "LAB#";

pub(super) fn lab(worker: WorkerId, id: &LabId) -> ItemKey {
    ItemKey::new(format!("WORKER#{worker}"), format!("{LAB_PREFIX}{id}"))
}

/// When all labs of a worker were listed last.
pub(super) fn labs_listed(worker: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{worker}"), "LABS-LISTED")
}

/// Partition of the list of all backups.
pub(super) const BACKUPS: &str = "BACKUPS";

/// A backup outlives its lab and its worker, so it has a partition of its own.
pub(super) fn backup(id: BackupId) -> ItemKey {
    ItemKey::new(format!("BACKUP#{id}"), "BACKUP")
}

/// Partition of the list of a lab's backups.
pub(super) fn backups_of(worker: WorkerId, lab: &LabId) -> String {
    format!("BACKUPS-OF#{worker}#{lab}")
}

pub(super) fn telemetry(id: WorkerId, source: &str, hour: &str) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), format!("TELEMETRY#{source}#{hour}"))
}

pub(super) fn hour(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H").to_string()
}

pub(super) fn worker_due(id: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), "DUE#power")
}

pub(super) fn operation(id: OperationId) -> ItemKey {
    ItemKey::new(format!("OP#{id}"), "OP")
}

pub(super) fn operation_due(id: OperationId) -> ItemKey {
    ItemKey::new(format!("OP#{id}"), "DUE#operation")
}

pub(super) fn operations_of(id: WorkerId) -> String {
    format!("TARGET#{id}")
}

pub(super) fn claim(place: &Place, instance: &InstanceId) -> ItemKey {
    ItemKey::new(format!("INSTANCE#{}#{}#{instance}", place.account, place.region), "CLAIM")
}

pub(super) fn idempotency(hash: &str) -> ItemKey {
    ItemKey::new(format!("IDEMPOTENCY#{hash}"), "IDEMPOTENCY")
}

/// Partition of the list of all API keys.
pub(super) const API_KEYS: &str = "API-KEYS";

pub(super) fn api_key(id: &ApiKeyId) -> ItemKey {
    ItemKey::new(format!("API-KEY#{id}"), "API-KEY")
}

pub(super) fn api_keys_of(owner: &str) -> String {
    format!("API-KEYS-OF#{owner}")
}

/// What checking a credential writes begins so: the one prefix that every endpoint may write.
const USE: &str = "USE#";

pub(super) fn api_key_use(id: &ApiKeyId) -> ItemKey {
    ItemKey::new(format!("{USE}{id}"), "LAST")
}

pub(super) fn nonce(id: &ApiKeyId, hash: &str) -> ItemKey {
    ItemKey::new(format!("{USE}{id}"), format!("NONCE#{hash}"))
}

pub(super) fn issuer_keys(issuer: &str) -> ItemKey {
    ItemKey::new(format!("ISSUER-KEYS#{issuer}"), "ISSUER-KEYS")
}

pub(super) fn session(hash: &str) -> ItemKey {
    ItemKey::new(format!("SESSION#{hash}"), "SESSION")
}

pub(super) fn login(state_hash: &str) -> ItemKey {
    ItemKey::new(format!("LOGIN#{state_hash}"), "LOGIN")
}

pub(super) fn lease(what: &str, id: &str) -> ItemKey {
    ItemKey::new(format!("LEASE#{what}#{id}"), "LEASE")
}

pub(super) fn throttle(what: &str, id: &str) -> ItemKey {
    ItemKey::new(format!("THROTTLE#{what}#{id}"), "THROTTLE")
}

/// Partition of the list of all instances that nobody manages.
pub(super) const DISCOVERED: &str = "DISCOVERED";
/// Partition of the list of the places that are looked at for them.
pub(super) const PLACE_LOOKS: &str = "PLACE-LOOKS";
/// What the sort key of each of them begins with.
pub(super) const INSTANCE_PREFIX: &str = "INSTANCE#";

pub(super) fn discovered_partition(place: &Place) -> String {
    format!("DISCOVERED#{}#{}", place.account, place.region)
}

pub(super) fn discovered(place: &Place, id: &InstanceId) -> ItemKey {
    ItemKey::new(discovered_partition(place), format!("{INSTANCE_PREFIX}{id}"))
}

pub(super) fn place_look(place: &Place) -> ItemKey {
    ItemKey::new(discovered_partition(place), "LOOK")
}

pub(super) fn shortage(market: &Market) -> ItemKey {
    let Market { place, instance_type, zone } = market;
    ItemKey::new(format!("CAPACITY#{}#{}", place.account, place.region), format!("{instance_type}#{zone}"))
}

pub(super) fn fleet() -> ItemKey {
    ItemKey::new("FLEET", "SENTINEL")
}

/// Counters of the reconciler are spread over so many items: each takes the writes of its workers one by one.
pub(super) const COUNTS_SHARDS: u8 = 16;

pub(super) fn counts(shard: u8) -> ItemKey {
    ItemKey::new("RECONCILIATION", format!("COUNTS#{shard:02}"))
}

pub(super) fn counts_shard(id: &str) -> u8 {
    id.bytes().last().unwrap_or(0) % COUNTS_SHARDS
}

/// What a worker counts as.
pub(super) fn counted(id: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), "COUNTED")
}

/// What every sort key of a wish for a lab begins with.
pub(super) const LAB_WISH_PREFIX: &str = "WISH#LAB#";

pub(super) fn lab_wish(worker: WorkerId, id: &LabId) -> ItemKey {
    ItemKey::new(format!("WORKER#{worker}"), format!("{LAB_WISH_PREFIX}{id}"))
}

/// What a lab counts as.
pub(super) fn counted_lab(worker: WorkerId, id: &LabId) -> ItemKey {
    ItemKey::new(format!("WORKER#{worker}"), format!("COUNTED#LAB#{id}"))
}

pub(super) fn labs_due(id: WorkerId) -> ItemKey {
    ItemKey::new(format!("WORKER#{id}"), "DUE#labs")
}

pub(super) fn last_run() -> ItemKey {
    ItemKey::new("RECONCILIATION", "LAST-RUN")
}

pub(super) fn fleet_run() -> ItemKey {
    ItemKey::new("RECONCILIATION", "FLEET-RUN")
}

pub(super) fn due_partition(kind: &str, shard: u8) -> String {
    format!("DUE#{kind}#{shard}")
}

/// A time as a sort key: RFC 3339 with a fixed number of digits sorts as it reads.
pub(super) fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The shard of an id: its last character is random.
pub(super) fn shard(id: &str) -> u8 {
    id.bytes().last().unwrap_or(0) % SHARDS
}
