//! What the reconciler decided and did, in numbers that are kept as results come in: nobody is asked for them.
//!
//! What a thing counts as is kept beside it and changes in one transaction with the counters, so that the sums
//! are those of the single things whatever fails or comes twice. A thing that counts as before costs a read.

use std::collections::BTreeMap;

use domain::{OperationId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, ItemKey, PortError, TableError, Write};

/// How often a count is tried when others count in the same shard.
const ATTEMPTS: usize = 10;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// Workers.
    Worker,
    /// Labs that somebody wished for.
    Lab,
}

/// What one thing counts as: its standing decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What was decided, by name.
    pub decision: String,
    /// It is not as it is wished.
    #[serde(default)]
    pub in_need: bool,
    /// It was given up, or what was tried last failed.
    #[serde(default)]
    pub error: bool,
    /// What was done last, and when: counted once, however often it is told.
    pub acted: Option<(String, Timestamp)>,
}

/// Numbers of one kind of thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Things that were judged.
    pub total: u64,
    /// Those that are not as they are wished.
    pub in_need: u64,
    /// Those given up, or of which the last try failed.
    pub errors: u64,
    /// Things by standing decision.
    pub decisions: BTreeMap<String, u64>,
    /// All that was ever done, by kind.
    pub actions: BTreeMap<String, u64>,
}

/// The numbers of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReconciliationCounts {
    /// Of workers.
    pub workers: Counts,
    /// Of labs.
    pub labs: Counts,
}

/// What the schedule did last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When, fleet time.
    pub at: Timestamp,
    /// Workers that were due and sent to be judged.
    pub workers: u64,
    /// Workers whose labs were.
    pub labs: u64,
    /// Operations that were due and sent.
    pub operations: u64,
}

impl Counts {
    fn apply(&mut self, before: Option<&Counted>, after: Option<&Counted>) {
        if let Some(before) = before {
            self.total = self.total.saturating_sub(1);
            self.in_need = self.in_need.saturating_sub(u64::from(before.in_need));
            self.errors = self.errors.saturating_sub(u64::from(before.error));
            if let Some(count) = self.decisions.get_mut(&before.decision) {
                *count = count.saturating_sub(1);
            }
        }
        let Some(after) = after else { return };
        self.total += 1;
        self.in_need += u64::from(after.in_need);
        self.errors += u64::from(after.error);
        *self.decisions.entry(after.decision.clone()).or_default() += 1;
        if let Some((action, _)) = after.acted.as_ref().filter(|(_, at)| is_news(before, *at)) {
            *self.actions.entry(action.clone()).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.in_need += other.in_need;
        self.errors += other.errors;
        for (name, count) in &other.decisions {
            *self.decisions.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.actions {
            *self.actions.entry(name.clone()).or_default() += count;
        }
    }
}

/// Whether what was done then is not counted yet.
fn is_news(before: Option<&Counted>, at: Timestamp) -> bool {
    before.and_then(|before| before.acted.as_ref()).is_none_or(|(_, counted)| *counted < at)
}

impl ReconciliationCounts {
    fn of(&mut self, kind: Kind) -> &mut Counts {
        match kind {
            Kind::Worker => &mut self.workers,
            Kind::Lab => &mut self.labs,
        }
    }
}

impl Store {
    /// Counts a worker as `counted`, or no more.
    ///
    /// # Errors
    /// The table failed, or others kept writing; the next judgement counts it.
    pub async fn count_worker(&self, id: WorkerId, counted: Option<Counted>) -> Result<(), AppError> {
        self.count(Kind::Worker, id, keys::counted(id), counted).await
    }

    pub(super) async fn count(
        &self,
        kind: Kind,
        worker: WorkerId,
        key: ItemKey,
        counted: Option<Counted>,
    ) -> Result<(), AppError> {
        let shard = keys::counts(keys::counts_shard(&worker.to_string()));
        for _ in 0..ATTEMPTS {
            let before_item = self.table.get(&key).await?;
            let before: Option<Counted> = before_item.as_ref().map(record::read).transpose()?;
            // What was done before stays known where nothing was done since.
            let counted = counted.clone().map(|counted| keeping_newest_act(counted, before.as_ref()));
            if before == counted {
                return Ok(());
            }
            let shard_item = self.table.get(&shard).await?;
            let mut counts: ReconciliationCounts =
                shard_item.as_ref().map(record::read).transpose()?.unwrap_or_default();
            counts.of(kind).apply(before.as_ref(), counted.as_ref());
            let (own_version, own_condition) = next_version(before_item.as_ref());
            let (version, condition) = next_version(shard_item.as_ref());
            let own = match &counted {
                Some(counted) => Write::Put(item(key.clone(), own_version, counted), own_condition),
                None => Write::Delete(key.clone(), own_condition),
            };
            let writes = vec![own, Write::Put(item(shard.clone(), version, &counts), condition)];
            match self.table.transact(writes).await {
                Ok(()) => return Ok(()),
                Err(TableError::Condition { .. } | TableError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::Unavailable(PortError::new("tally", "others kept counting in the same shard")))
    }

    /// The numbers of the fleet: one read, however large it is.
    ///
    /// # Errors
    /// The table failed.
    pub async fn reconciliation_counts(&self) -> Result<ReconciliationCounts, AppError> {
        let shards: Vec<_> = (0..keys::COUNTS_SHARDS).map(keys::counts).collect();
        let mut all = ReconciliationCounts::default();
        for item in self.table.get_many(&shards).await? {
            let counts: ReconciliationCounts = record::read(&item)?;
            all.workers.add(&counts.workers);
            all.labs.add(&counts.labs);
        }
        Ok(all)
    }

    /// What the schedule did last; null when it never ran.
    ///
    /// # Errors
    /// The table failed.
    pub async fn last_run(&self) -> Result<Option<LastRun>, AppError> {
        self.table.get(&keys::last_run()).await?.as_ref().map(record::read).transpose()
    }

    /// Writes it.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_last_run(&self, run: &LastRun) -> Result<(), AppError> {
        let item = Item { version: None, ..item(keys::last_run(), 0, run) };
        Ok(self.table.write(Write::Put(item, Condition::None)).await?)
    }

    /// The operation that judges the whole fleet, or did so last, and the version of this record.
    ///
    /// # Errors
    /// The table failed.
    pub async fn fleet_run(&self) -> Result<Option<(OperationId, u64)>, AppError> {
        let Some(item) = self.table.get(&keys::fleet_run()).await? else { return Ok(None) };
        let run: FleetRunRecord = record::read(&item)?;
        Ok(Some((run.operation_id.parse().map_err(record::bad_field)?, item.version.unwrap_or(0))))
    }
}

#[derive(Serialize, Deserialize)]
struct FleetRunRecord {
    operation_id: String,
}

/// The write that makes an operation the one that judges the fleet, if nothing came between.
pub(super) fn fleet_run_write(operation: OperationId, expected: Option<u64>) -> Write {
    let record = FleetRunRecord { operation_id: operation.to_string() };
    let condition = expected.map_or(Condition::NotExists, Condition::Version);
    Write::Put(item(keys::fleet_run(), expected.unwrap_or(0) + 1, &record), condition)
}

fn keeping_newest_act(counted: Counted, before: Option<&Counted>) -> Counted {
    let acted_before = before.and_then(|before| before.acted.clone());
    let acted = match (counted.acted, acted_before) {
        (Some(new), Some(old)) => Some(if old.1 > new.1 { old } else { new }),
        (new, old) => new.or(old),
    };
    Counted { acted, ..counted }
}

fn next_version(item: Option<&Item>) -> (u64, Condition) {
    match item.and_then(|item| item.version) {
        Some(version) => (version + 1, Condition::Version(version)),
        None => (1, Condition::NotExists),
    }
}

fn item<T: Serialize>(key: ItemKey, version: u64, record: &T) -> Item {
    let mut attributes = record::attributes(record);
    attributes.insert("schema".into(), 1.into());
    Item { pk: key.pk, sk: key.sk, version: Some(version), attributes, ..Item::default() }
}

#[cfg(test)]
mod tests;
