//! DynamoDB: the product's own table in memory, behind a network that throttles and loses answers, with
//! indexes that lag behind.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::{Condition, IndexName, Item, ItemKey, Page, PortError, Query, Table, TableError, Write};
use app::testing::MemoryTable;
use async_trait::async_trait;

use crate::executor::{MINUTE, Moment, Sim};
use crate::faults::{Fault, Weather};
use crate::invariants::Monitor;
use crate::rules_labs::lists_workers;
use crate::sabotage::Sabotage;
use crate::watch::Watch;

/// The table as the product sees it.
pub(crate) struct Dynamo {
    sim: Arc<Sim>,
    weather: Arc<Weather>,
    monitor: Arc<Monitor>,
    watch: Arc<Watch>,
    sabotage: Sabotage,
    /// What is true.
    pub(crate) memory: Arc<MemoryTable>,
    indexes: Mutex<Indexes>,
}

/// Rows by where they stand in an index: partition, sort key, and the item's own key.
type Rows = BTreeMap<(IndexName, String), BTreeMap<(String, ItemKey), Item>>;

#[derive(Default)]
struct Indexes {
    rows: Rows,
    /// What the indexes show of each item, to take it out again.
    shown: BTreeMap<ItemKey, Item>,
    /// Changes on their way into the indexes, by when they are there.
    coming: BTreeMap<(Moment, u64), (ItemKey, Option<Item>)>,
    /// When the last change of an item is there: none overtakes another of the same item.
    last: BTreeMap<ItemKey, Moment>,
    changes: u64,
}

impl Dynamo {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>, watch: &Arc<Watch>, sabotage: Sabotage) -> Self {
        Self {
            sim: sim.clone(),
            weather: weather.clone(),
            monitor: watch.monitor.clone(),
            watch: watch.clone(),
            sabotage,
            memory: Arc::default(),
            indexes: Mutex::default(),
        }
    }

    fn indexes(&self) -> MutexGuard<'_, Indexes> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before each call: the way there, on which others come first, and a refusal.
    async fn arrive(&self) -> Result<(), TableError> {
        self.sim.call().await;
        if self.weather.strikes(Fault::TableThrottled) {
            return Err(unavailable("ThrottlingException"));
        }
        Ok(())
    }

    /// Makes what was written come into the indexes a little later, or much later.
    fn index(&self, key: ItemKey, item: Option<Item>) {
        let lag =
            if self.weather.strikes(Fault::StaleIndex) { self.sim.pick(0, 2 * MINUTE) } else { self.sim.pick(0, 50) };
        let now = self.sim.now();
        let mut indexes = self.indexes();
        let at = (now + lag).max(indexes.last.get(&key).copied().unwrap_or(0));
        indexes.last.insert(key.clone(), at);
        indexes.changes += 1;
        let change = indexes.changes;
        indexes.coming.insert((at, change), (key, item));
    }
}

impl Indexes {
    fn catch_up(&mut self, now: Moment) {
        while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= now) {
            let (key, item) = entry.remove();
            if let Some(before) = self.shown.remove(&key) {
                for (index, (pk, sk)) in positions(&before) {
                    if let Some(rows) = self.rows.get_mut(&(index, pk)) {
                        rows.remove(&(sk, key.clone()));
                    }
                }
            }
            if let Some(item) = item {
                for (index, (pk, sk)) in positions(&item) {
                    self.rows.entry((index, pk)).or_default().insert((sk, key.clone()), item.clone());
                }
                self.shown.insert(key, item);
            }
        }
    }

    fn page(&self, index: IndexName, query: &Query) -> Result<Page, TableError> {
        let Some(rows) = self.rows.get(&(index, query.pk.clone())) else { return Ok(Page::default()) };
        let after = query.after.as_deref().map(read_position).transpose()?;
        let start = query.from.clone().map_or(Bound::Unbounded, |from| Bound::Included((from, ItemKey::new("", ""))));
        let within = rows.range((start, Bound::Unbounded));
        let mut found: Vec<_> = within.take_while(|((sk, _), _)| query.to.as_ref().is_none_or(|to| sk <= to)).collect();
        if query.descending {
            found.reverse();
        }
        if let Some(after) = after {
            found.retain(|(place, _)| if query.descending { **place < after } else { **place > after });
        }
        let limit = usize::try_from(query.limit.clamp(1, 1_000)).unwrap_or(1);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(place, _)| position(place));
        Ok(Page { items: found.into_iter().map(|(_, item)| item.clone()).collect(), next })
    }
}

fn positions(item: &Item) -> impl Iterator<Item = (IndexName, (String, String))> {
    [IndexName::Gsi1, IndexName::Gsi2].into_iter().filter_map(|index| Some((index, item.index_key(index)?.clone())))
}

fn position((sk, key): &(String, ItemKey)) -> String {
    serde_json::Value::from(vec![sk.as_str(), &key.pk, &key.sk]).to_string()
}

fn read_position(text: &str) -> Result<(String, ItemKey), TableError> {
    let [sk, pk, item_sk]: [String; 3] = serde_json::from_str(text).map_err(|_| TableError::BadPosition)?;
    Ok((sk, ItemKey::new(pk, item_sk)))
}

fn unavailable(message: &str) -> TableError {
    TableError::Unavailable(PortError::new("table", message))
}

#[async_trait]
impl Table for Dynamo {
    async fn get(&self, key: &ItemKey) -> Result<Option<Item>, TableError> {
        self.arrive().await?;
        Ok(self.sabotage.shown(self.memory.get(key).await?))
    }

    async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Item>, TableError> {
        self.arrive().await?;
        self.memory.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.arrive().await?;
        let Some(index) = query.index else { return self.memory.query(query).await };
        let emptied = lists_workers(&query.pk) && self.watch.periods.store_is_empty();
        if emptied || self.sabotage.hides(query) {
            return Ok(Page::default());
        }
        let now = self.sim.now();
        let mut indexes = self.indexes();
        indexes.catch_up(now);
        indexes.page(index, query)
    }

    async fn write(&self, write: Write) -> Result<(), TableError> {
        let conditional = *write.condition() != Condition::None;
        let result = self.transact(vec![write]).await;
        match result {
            // The client tried once more, and met what its first try had written.
            Err(TableError::Unavailable(error)) if error.message == LOST && conditional && self.sim.chance(0.5) => {
                Err(TableError::Condition { failed: vec![0] })
            }
            result => result,
        }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.arrive().await?;
        if writes.len() > 1 && self.weather.strikes(Fault::TransactionConflict) {
            return Err(TableError::Conflict);
        }
        let writes = self.sabotage.writes(writes, || self.sim.now());
        let changed: Vec<ItemKey> =
            writes.iter().filter(|write| !matches!(write, Write::Check(..))).map(Write::key).collect();
        if writes.is_empty() {
            return Ok(());
        }
        self.memory.transact(writes).await?;
        let mut written = Vec::with_capacity(changed.len());
        for key in changed {
            let item = self.memory.get(&key).await?;
            if let Some(item) = &item {
                self.monitor.written(item);
                written.push(item.clone());
            }
            self.watch.written(&key, item.as_ref());
            self.index(key, item);
        }
        if !self.sabotage.takes_records() {
            self.monitor.transacted(&written);
        }
        let lost = self.weather.strikes(Fault::WriteAnswerLost);
        self.sim.call().await;
        if lost { Err(unavailable(LOST)) } else { Ok(()) }
    }
}

/// What a caller hears of a write that was done.
const LOST: &str = "the answer was lost";
