//! What somebody wished of labs, and what was tried for it. Kept apart from the labs as they were read: reading
//! them changes no wish.

use std::collections::BTreeMap;

use domain::decision::{Action, Decision};
use domain::reconcile::lab::{DesiredLab, LabWish};
use domain::reconcile::{LastAction, ReconcileRecord};
use domain::{Actor, LabId, OperationId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::actor::ActorRecord;
use super::due_item::labs_due_item;
use super::reconcile_item::RecordItem;
use super::tally::{Counted, Kind};
use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, ItemKey, Query, TableError, Write};

/// Wishes of one worker that are read at a time.
const PAGE: u32 = 200;
/// Keys a `get_many` takes.
const KEYS_PER_READ: usize = 100;

/// A wish for a lab, with what is known of its fulfilment.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredWish {
    /// The worker that the lab is on.
    pub worker_id: WorkerId,
    /// The lab.
    pub lab_id: LabId,
    /// Counts its writes; 0 for one that was never written.
    pub version: u64,
    /// The wish.
    pub wish: LabWish,
    /// When the lab was last known to be so.
    pub as_wished_at: Option<Timestamp>,
    /// What was tried for it.
    pub record: ReconcileRecord,
    /// What was decided last, and when.
    pub decided: Option<(Timestamp, Decision)>,
}

impl StoredWish {
    /// A new wish, for which `operation` is started now. What is known of the lab stays known.
    #[must_use]
    pub fn new(
        (worker_id, lab_id): (WorkerId, LabId),
        before: Option<Self>,
        (desired, wished_by): (DesiredLab, Actor),
        operation: OperationId,
        now: Timestamp,
    ) -> Self {
        let (version, as_wished_at, record) = before.map_or((0, None, ReconcileRecord::default()), |before| {
            (before.version, before.as_wished_at, before.record)
        });
        let number = record.wish + 1;
        let last_action = Some(LastAction { action: desired.action(), at: now, operation: Some(operation) });
        Self {
            worker_id,
            lab_id,
            version,
            wish: LabWish { desired, wished_by, wished_at: now },
            as_wished_at,
            record: ReconcileRecord { last_action, ..record.for_wish(number) },
            decided: None,
        }
    }

    fn key(&self) -> ItemKey {
        keys::lab_wish(self.worker_id, &self.lab_id)
    }
}

/// A change of a wish, written together with what it is about.
#[derive(Clone, Debug)]
pub enum LabWishChange {
    /// This is the wish now.
    Is(StoredWish),
    /// Nothing is wished any more.
    Dropped(StoredWish),
}

impl LabWishChange {
    /// The write; it holds where nobody wrote the wish since it was read.
    pub(super) fn write(&self) -> Write {
        match self {
            Self::Is(wish) => {
                let expected = if wish.version == 0 { Condition::NotExists } else { Condition::Version(wish.version) };
                Write::Put(item(wish), expected)
            }
            Self::Dropped(wish) => Write::Delete(wish.key(), Condition::Version(wish.version)),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct WishRecord {
    schema: u32,
    worker_id: String,
    lab_id: String,
    desired: String,
    wished_by: ActorRecord,
    wished_at: Timestamp,
    as_wished_at: Option<Timestamp>,
    #[serde(default)]
    record: RecordItem,
    decided_at: Option<Timestamp>,
    action: Option<String>,
    reason: Option<String>,
    next_action: Option<String>,
    next_action_at: Option<Timestamp>,
    next_check_at: Option<Timestamp>,
}

fn item(stored: &StoredWish) -> Item {
    let decision = stored.decided.as_ref().map(|(_, decision)| decision);
    let next = decision.and_then(|decision| decision.next);
    let record = WishRecord {
        schema: 1,
        worker_id: stored.worker_id.to_string(),
        lab_id: stored.lab_id.to_string(),
        desired: stored.wish.desired.name().into(),
        wished_by: ActorRecord::from(&stored.wish.wished_by),
        wished_at: stored.wish.wished_at,
        as_wished_at: stored.as_wished_at,
        record: RecordItem::from(&stored.record),
        decided_at: stored.decided.as_ref().map(|(at, _)| *at),
        action: decision.map(|decision| decision.action.name().into()),
        reason: decision.map(|decision| decision.reason.clone()),
        next_action: next.map(|(action, _)| action.name().into()),
        next_action_at: next.map(|(_, at)| at),
        next_check_at: decision.map(|decision| decision.next_check_at),
    };
    let key = stored.key();
    let (version, attributes) = (Some(stored.version + 1), record::attributes(&record));
    Item { pk: key.pk, sk: key.sk, version, attributes, ..Item::default() }
}

fn read(item: &Item) -> Result<StoredWish, AppError> {
    let record: WishRecord = record::read(item)?;
    let desired = DesiredLab::from_name(&record.desired)
        .ok_or_else(|| record::corrupt(item, &format!("desired {:?}", record.desired)))?;
    let action = record.action.as_deref().and_then(Action::from_name);
    let next = record.next_action.as_deref().and_then(Action::from_name).zip(record.next_action_at);
    let decided = match (record.decided_at, action, record.reason, record.next_check_at) {
        (Some(at), Some(action), Some(reason), Some(next_check_at)) => {
            Some((at, Decision { action, reason, next, next_check_at }))
        }
        _ => None,
    };
    Ok(StoredWish {
        worker_id: record.worker_id.parse().map_err(record::bad_field)?,
        lab_id: record.lab_id.parse().map_err(record::bad_field)?,
        version: item.version.ok_or_else(|| record::corrupt(item, &"no version"))?,
        wish: LabWish { desired, wished_by: record.wished_by.into(), wished_at: record.wished_at },
        as_wished_at: record.as_wished_at,
        record: record.record.into(),
        decided,
    })
}

impl Store {
    /// What is wished of a lab, if anything is.
    ///
    /// # Errors
    /// The table failed.
    pub async fn lab_wish(&self, worker: WorkerId, lab: &LabId) -> Result<Option<StoredWish>, AppError> {
        self.table.get(&keys::lab_wish(worker, lab)).await?.as_ref().map(read).transpose()
    }

    /// What is wished of some labs, by worker and lab.
    ///
    /// # Errors
    /// The table failed.
    pub async fn lab_wishes_of(
        &self,
        labs: &[(WorkerId, LabId)],
    ) -> Result<BTreeMap<(WorkerId, LabId), StoredWish>, AppError> {
        let mut found = BTreeMap::new();
        for chunk in labs.chunks(KEYS_PER_READ) {
            let wanted: Vec<_> = chunk.iter().map(|(worker, lab)| keys::lab_wish(*worker, lab)).collect();
            let items = self.table.get_many(&wanted).await?;
            let wishes = record::readable(&items, read).into_iter();
            found.extend(wishes.map(|wish| ((wish.worker_id, wish.lab_id.clone()), wish)));
        }
        Ok(found)
    }

    /// All that is wished of the labs of a worker, by lab.
    ///
    /// # Errors
    /// The table failed.
    pub async fn lab_wishes(&self, worker: WorkerId) -> Result<Vec<StoredWish>, AppError> {
        let (mut wishes, mut after) = (Vec::new(), None);
        loop {
            let query =
                Query::partition(keys::worker(worker).pk).prefix(keys::LAB_WISH_PREFIX).limit(PAGE).after(after);
            let page = self.table.query(&query).await?;
            wishes.extend(record::readable(&page.items, read));
            after = page.next;
            if after.is_none() {
                return Ok(wishes);
            }
        }
    }

    /// Writes what was judged of a wish. False when somebody wished anew, or judged it, meanwhile: theirs stands.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_lab_wish(&self, change: &LabWishChange) -> Result<bool, AppError> {
        match self.table.write(change.write()).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { .. } | TableError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Counts a lab as `counted`, or no more.
    ///
    /// # Errors
    /// The table failed, or others kept writing; the next judgement counts it.
    pub async fn count_lab(&self, worker: WorkerId, lab: &LabId, counted: Option<Counted>) -> Result<(), AppError> {
        self.count(Kind::Lab, worker, keys::counted_lab(worker, lab), counted).await
    }

    /// Has a worker's labs read and judged at that time, besides the schedule.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_labs_due(&self, worker: WorkerId, due_at: Timestamp) -> Result<(), AppError> {
        Ok(self.table.write(Write::Put(labs_due_item(worker, due_at), Condition::None)).await?)
    }

    /// Puts off the reading of a worker's labs, if one is due.
    ///
    /// # Errors
    /// The table failed.
    pub async fn put_labs_off(&self, worker: WorkerId, due_at: Timestamp) -> Result<(), AppError> {
        match self.table.write(Write::Put(labs_due_item(worker, due_at), Condition::Exists)).await {
            Ok(()) | Err(TableError::Condition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Leaves them to the schedule.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_labs_due(&self, worker: WorkerId) -> Result<(), AppError> {
        Ok(self.table.write(Write::Delete(keys::labs_due(worker), Condition::None)).await?)
    }
}
