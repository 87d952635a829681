//! Operations, and everything that is due.

use domain::operation::Operation;
use domain::{OperationId, SignedDuration, Timestamp, WorkerId};

use super::due_item::{self, Due, DueKind, PowerDue};
use super::operation_item::{operation_item, read_operation};
use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, IndexName, Item, Query, TableError, Write};

/// Due ids read of one shard in one tick; the rest stays due for the next.
const DUE_PER_SHARD: u32 = 500;

/// How often a due item is written anew when others write it at the same time.
const WRITE_ATTEMPTS: usize = 5;

impl Store {
    /// The operation.
    ///
    /// # Errors
    /// It does not exist, or the table failed.
    pub async fn operation(&self, id: OperationId) -> Result<Operation, AppError> {
        read_operation(&self.table.get(&keys::operation(id)).await?.ok_or_else(|| AppError::no_operation(id))?)
    }

    /// A page of operations, newest first; of one worker if one is given.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_operations(
        &self,
        target: Option<WorkerId>,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<Operation>, AppError> {
        let query = match target {
            Some(worker) => Query::index(IndexName::Gsi2, keys::operations_of(worker)),
            None => Query::index(IndexName::Gsi1, keys::OPERATIONS),
        };
        let page = self.table.query(&query.newest_first().limit(limit).after(after)).await?;
        Ok(Listed { items: record::readable(&page.items, read_operation), next: page.next })
    }

    /// Writes an operation read before, and when it is due next; an ended one is due no more.
    /// False when another delivery of the same operation wrote first: then that one goes on.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_operation(
        &self,
        operation: &mut Operation,
        due_at: Timestamp,
        retention: SignedDuration,
    ) -> Result<bool, AppError> {
        let expected = operation.version;
        operation.version += 1;
        let due = if operation.status.is_final() {
            Write::Delete(keys::operation_due(operation.id), Condition::None)
        } else {
            Write::Put(due_item::operation_due_item(operation, due_at), Condition::None)
        };
        let put = Write::Put(operation_item(operation, retention), Condition::Version(expected));
        match self.table.transact(vec![put, due]).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { .. } | TableError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Drops the due item of an operation that has ended or does not exist.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_operation_due(&self, id: OperationId) -> Result<(), AppError> {
        Ok(self.table.write(Write::Delete(keys::operation_due(id), Condition::None)).await?)
    }

    /// What is due by `now`, longest due first within a shard.
    ///
    /// # Errors
    /// The table failed.
    pub async fn due(&self, kind: DueKind, now: Timestamp) -> Result<Vec<Due>, AppError> {
        let mut due = Vec::new();
        for shard in 0..keys::SHARDS {
            let query = Query::index(IndexName::Gsi1, keys::due_partition(kind.name(), shard))
                .between("", keys::sortable(now))
                .limit(DUE_PER_SHARD);
            let page = self.table.query(&query).await?;
            due.extend(record::readable(&page.items, |item| due_item::read_due(kind, item)));
        }
        Ok(due)
    }

    /// A worker's standing power decision.
    ///
    /// # Errors
    /// The table failed.
    pub async fn power(&self, id: WorkerId) -> Result<Option<PowerDue>, AppError> {
        self.table.get(&keys::worker_due(id)).await?.as_ref().map(due_item::read_power).transpose()
    }

    /// Standing power decisions of several workers.
    ///
    /// # Errors
    /// The table failed.
    pub async fn powers(&self, ids: &[WorkerId]) -> Result<Vec<PowerDue>, AppError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(100) {
            let wanted: Vec<_> = chunk.iter().map(|id| keys::worker_due(*id)).collect();
            found.extend(record::readable(&self.table.get_many(&wanted).await?, due_item::read_power));
        }
        Ok(found)
    }

    /// Writes what a judgement found, or that a worker is due now. Should others have written meanwhile, the
    /// earlier time stands, the later judgement, and what was asked for since it began.
    ///
    /// # Errors
    /// The table failed, or others kept writing.
    pub async fn save_power(&self, due: &PowerDue) -> Result<(), AppError> {
        let mut next = due.clone();
        for _ in 0..WRITE_ATTEMPTS {
            match self.table.write(Write::Put(due_item::power_item(&next), next.follows())).await {
                Ok(()) => return Ok(()),
                Err(TableError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // Dropped meanwhile: there is nothing to judge any more.
            let Some(other) = self.power(due.worker_id).await? else { return Ok(()) };
            let (version, due_at) = (other.version + 1, due.due_at.min(other.due_at));
            next = if other.judgement >= due.judgement {
                PowerDue { version, due_at, ..other }
            } else {
                let record = due.record.clone().with_news_of(other.record);
                PowerDue { version, due_at, record, ..due.clone() }
            };
        }
        Err(AppError::Busy(due.worker_id))
    }

    /// Makes an operation due later, after a failure that says nothing of the operation itself.
    ///
    /// # Errors
    /// The table failed.
    pub async fn defer_operation(&self, operation: &Operation, due_at: Timestamp) -> Result<(), AppError> {
        let item = due_item::operation_due_item(operation, due_at);
        Ok(self.table.write(Write::Put(item, Condition::Exists)).await?)
    }

    /// Judges a worker's power no more.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_power(&self, id: WorkerId) -> Result<(), AppError> {
        Ok(self.table.write(Write::Delete(keys::worker_due(id), Condition::None)).await?)
    }

    /// Takes a turn at something that may happen once per `every`. When it is not the caller's
    /// turn: how long to wait. Machine time.
    ///
    /// # Errors
    /// The table failed.
    pub async fn take_turn(
        &self,
        what: &str,
        id: &str,
        machine_now: Timestamp,
        every: SignedDuration,
    ) -> Result<Option<SignedDuration>, AppError> {
        let key = keys::throttle(what, id);
        let until = machine_now + every;
        let attributes = record::attributes(&serde_json::json!({ "schema": 1, "until": until }));
        let item =
            Item { pk: key.pk.clone(), sk: key.sk.clone(), expires_at: Some(until), attributes, ..Item::default() };
        match self.table.write(Write::Put(item, Condition::NotExistsOrExpiredBefore(machine_now))).await {
            Ok(()) => Ok(None),
            Err(TableError::Condition { .. }) => {
                let stored = self.table.get(&key).await?;
                let until = stored.and_then(|item| item.attributes.get("until")?.as_str()?.parse::<Timestamp>().ok());
                let wait = until.map_or(every, |until| until.duration_since(machine_now));
                Ok(Some(wait.max(SignedDuration::from_secs(1))))
            }
            Err(error) => Err(error.into()),
        }
    }
}
