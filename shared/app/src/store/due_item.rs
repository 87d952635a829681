//! Due items: what has to be looked at, and when. Rescheduling never touches a snapshot.

use domain::decision::Action;
use domain::operation::Operation;
use domain::power::PowerDecision;
use domain::reconcile::ReconcileRecord;
use domain::{SignedDuration, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::reconcile_item::RecordItem;
use super::{keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, ItemKey, Queue};

/// What kind of thing is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// A worker's power decision.
    Power,
    /// An operation's next attempt.
    Operation,
    /// The reading of a worker's labs, of which something is wished.
    Labs,
}

impl DueKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Operation => "operation",
            Self::Labs => "labs",
        }
    }

    /// Where it is sent when its item does not say.
    fn queue(self) -> Queue {
        match self {
            Self::Power => Queue::Power,
            Self::Operation => Queue::Operations,
            Self::Labs => Queue::Labs,
        }
    }
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The id of the worker or the operation.
    pub id: String,
    /// Since when.
    pub due_at: Timestamp,
    /// Where it is sent.
    pub queue: Queue,
}

/// A worker's standing power decision, and when it is judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerDue {
    /// The worker.
    pub worker_id: WorkerId,
    /// Counts its writes, so that a judgement does not undo a later call to hurry.
    pub version: u64,
    /// When to judge again.
    pub due_at: Timestamp,
    /// Counts the judgements among them: what one judgement wrote, another that read less does not undo.
    pub judgement: u64,
    /// What was decided last, and when.
    pub decided: Option<(Timestamp, PowerDecision)>,
    /// What was tried for the wish so far.
    pub record: ReconcileRecord,
    /// The stretch of idleness, by its begin, that people in CML were told of last: the notice is there until it is
    /// taken away, also after the stop and the next start.
    pub told_of: Option<Timestamp>,
    /// When EC2 was asked that last showed, in a judgement, its instance running: since then it has the address that
    /// is recorded.
    pub shown_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct PowerRecord {
    schema: u32,
    id: String,
    due_at: Timestamp,
    decided_at: Option<Timestamp>,
    action: Option<String>,
    reason: Option<String>,
    idle_since: Option<Timestamp>,
    next_action: Option<String>,
    next_action_at: Option<Timestamp>,
    #[serde(default)]
    judgement: u64,
    #[serde(default)]
    record: RecordItem,
    told_of: Option<Timestamp>,
    shown_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct OperationRecord {
    schema: u32,
    id: String,
    due_at: Timestamp,
    /// Older items have none.
    queue: Option<String>,
}

fn item<T: Serialize>(key: ItemKey, kind: DueKind, id: &str, due_at: Timestamp, record: &T) -> Item {
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((keys::due_partition(kind.name(), keys::shard(id)), keys::sortable(due_at))),
        gsi2: None,
        version: None,
        expires_at: None,
        attributes: record::attributes(record),
    }
}

pub(super) fn power_item(due: &PowerDue) -> Item {
    let id = due.worker_id.to_string();
    let decision = due.decided.as_ref().map(|(_, decision)| decision);
    let record = PowerRecord {
        schema: 1,
        id: id.clone(),
        due_at: due.due_at,
        decided_at: due.decided.as_ref().map(|(at, _)| *at),
        action: decision.map(|d| d.action.name().into()),
        reason: decision.map(|d| d.reason.clone()),
        idle_since: decision.and_then(|d| d.idle_since),
        next_action: decision.and_then(|d| d.next_action).map(|action| action.name().into()),
        next_action_at: decision.and_then(|d| d.next_action_at),
        judgement: due.judgement,
        record: RecordItem::from(&due.record),
        told_of: due.told_of,
        shown_at: due.shown_at,
    };
    let item = item(keys::worker_due(due.worker_id), DueKind::Power, &id, due.due_at, &record);
    Item { version: Some(due.version), ..item }
}

pub(super) fn read_power(item: &Item) -> Result<PowerDue, AppError> {
    let record: PowerRecord = record::read(item)?;
    let decided = match (record.decided_at, record.action.as_deref().and_then(Action::from_name), record.reason) {
        (Some(at), Some(action), Some(reason)) => Some((
            at,
            PowerDecision {
                action,
                reason,
                idle_since: record.idle_since,
                // Older items have none: there was one action to come.
                next_action: match record.next_action {
                    Some(name) => Action::from_name(&name),
                    None => record.next_action_at.map(|_| Action::Stop),
                },
                next_action_at: record.next_action_at,
                next_check_at: record.due_at,
                read_first: false,
            },
        )),
        _ => None,
    };
    Ok(PowerDue {
        worker_id: record.id.parse().map_err(record::bad_field)?,
        version: item.version.unwrap_or(0),
        due_at: record.due_at,
        judgement: record.judgement,
        decided,
        record: record.record.into(),
        told_of: record.told_of,
        shown_at: record.shown_at,
    })
}

pub(super) fn operation_due_item(operation: &Operation, due_at: Timestamp) -> Item {
    let id = operation.id.to_string();
    let queue = Queue::of(&operation.task).name().to_owned();
    let record = OperationRecord { schema: 1, id: id.clone(), due_at, queue: Some(queue) };
    item(keys::operation_due(operation.id), DueKind::Operation, &id, due_at, &record)
}

pub(super) fn labs_due_item(worker: WorkerId, due_at: Timestamp) -> Item {
    let id = worker.to_string();
    let record = OperationRecord { schema: 1, id: id.clone(), due_at, queue: None };
    item(keys::labs_due(worker), DueKind::Labs, &id, due_at, &record)
}

/// What a due item says. A queue that this version does not know is another's mistake to mend: the
/// consumer of the usual one hands on what is not its own.
pub(super) fn read_due(kind: DueKind, item: &Item) -> Result<Due, AppError> {
    let record: OperationRecord = record::read(item)?;
    let queue = record.queue.as_deref().and_then(Queue::from_name).unwrap_or(kind.queue());
    Ok(Due { id: record.id, due_at: record.due_at, queue })
}

impl PowerDue {
    /// Due now, whatever was decided before.
    #[must_use]
    pub fn hurried(worker_id: WorkerId, before: Option<Self>, now: Timestamp) -> Self {
        let fresh = Self {
            worker_id,
            version: 0,
            due_at: now,
            judgement: 0,
            decided: None,
            record: ReconcileRecord::default(),
            told_of: None,
            shown_at: None,
        };
        let before = before.unwrap_or(fresh);
        // A message is told from another by its time: one that was judged in this very moment has had its own.
        let judged_at = before.decided.as_ref().map(|(at, _)| *at);
        let due_at = if judged_at.is_some_and(|at| at >= now) { now + SignedDuration::from_millis(1) } else { now };
        Self { version: before.version + 1, due_at, ..before }
    }

    /// What a command did for its wish, beside it.
    #[must_use]
    pub fn with_record(self, record: ReconcileRecord) -> Self {
        Self { record, ..self }
    }

    /// The condition under which this one follows the one it was made of.
    pub(super) fn follows(&self) -> Condition {
        match self.version {
            0 | 1 => Condition::NotExists,
            version => Condition::Version(version - 1),
        }
    }
}
