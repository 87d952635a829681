//! The table in memory, with the semantics of DynamoDB as far as the port promises them.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use serde_json::{Number, Value};

use crate::ports::{Condition, IndexName, Item, ItemKey, Page, PortError, Query, Table, TableError, Write};

/// Names that an item's own attributes may not have, as in the table on DynamoDB.
const RESERVED: [&str; 8] = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "version", "expires_at"];

/// The largest item, about.
const MOST_BYTES: usize = 400 * 1024;

/// The table in memory.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<ItemKey, Item>,
    /// How many more writes succeed; all, when null.
    writes_left: Option<usize>,
    /// How many fail after those.
    failures_left: usize,
}

/// Where an item stands in a query: its sort key there, then its own key.
type Place = (String, ItemKey);

impl MemoryTable {
    /// Lets so many further writes (a transaction is one) happen. From then on every write fails with
    /// [`TableError::Unavailable`] and changes nothing, until [`Self::heal`].
    pub fn fail_writes_after(&self, writes: usize) {
        self.fail_writes(writes, usize::MAX);
    }

    /// Lets so many further writes happen, and so many fail after them; then it is healed.
    pub fn fail_writes(&self, after: usize, failures: usize) {
        let mut state = self.state();
        (state.writes_left, state.failures_left) = (Some(after), failures);
    }

    /// Lets all writes happen again.
    pub fn heal(&self) {
        self.state().writes_left = None;
    }

    /// Every item, in key order.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.state().items.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &ItemKey) -> Result<Option<Item>, TableError> {
        check_key(&key.pk, &key.sk)?;
        Ok(self.state().items.get(key).cloned())
    }

    async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Item>, TableError> {
        check_distinct(keys)?;
        let state = self.state();
        Ok(keys.iter().filter_map(|key| state.items.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let after = query.after.as_deref().map(|after| read_position(after, query)).transpose()?;
        let state = self.state();
        let start = match query.index {
            None => Bound::Included(ItemKey::new(query.pk.clone(), "")),
            Some(_) => Bound::Unbounded,
        };
        let items = state.items.range((start, Bound::Unbounded)).map(|(_, item)| item);
        let items = items.take_while(|item| query.index.is_some() || item.pk == query.pk);
        let mut found: Vec<_> = items.filter_map(|item| Some((place(item, query)?, item))).collect();
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        if query.descending {
            found.reverse();
        }
        if let Some(after) = after {
            found.retain(|(place, _)| if query.descending { *place < after } else { *place > after });
        }
        let limit = query.limit.clamp(1, 1000) as usize;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(place, _)| position(place, query));
        Ok(Page { items: found.into_iter().map(|(_, item)| item.clone()).collect(), next })
    }

    async fn write(&self, write: Write) -> Result<(), TableError> {
        self.transact(vec![write]).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        if writes.is_empty() {
            return Err(malformed("a transaction has at least one write"));
        }
        let keys: Vec<_> = writes.iter().map(Write::key).collect();
        check_distinct(&keys)?;
        let writes = writes.into_iter().map(canonical_write).collect::<Result<Vec<_>, _>>()?;

        let mut state = self.state();
        if state.writes_left == Some(0) {
            state.failures_left -= 1;
            if state.failures_left == 0 {
                state.writes_left = None;
            }
            return Err(TableError::Unavailable(PortError::new("table", "told to fail")));
        }
        let holds = |write: &Write| holds(write.condition(), state.items.get(&write.key()));
        let failed: Vec<_> = (0..writes.len()).filter(|at| !holds(&writes[*at])).collect();
        if !failed.is_empty() {
            return Err(TableError::Condition { failed });
        }
        state.writes_left = state.writes_left.map(|left| left - 1);
        for write in writes {
            match write {
                Write::Put(item, _) => drop(state.items.insert(item.key(), item)),
                Write::Delete(key, _) => drop(state.items.remove(&key)),
                Write::Check(..) => {}
            }
        }
        Ok(())
    }
}

/// Where the item stands in the query, if it is in it.
fn place(item: &Item, query: &Query) -> Option<Place> {
    let (pk, sk) = match query.index {
        None => (&item.pk, &item.sk),
        Some(index) => item.index_key(index).map(|(pk, sk)| (pk, sk))?,
    };
    (*pk == query.pk && in_bounds(sk, query)).then(|| (sk.clone(), item.key()))
}

fn in_bounds(sk: &str, query: &Query) -> bool {
    query.from.as_deref().is_none_or(|from| sk >= from) && query.to.as_deref().is_none_or(|to| sk <= to)
}

fn position((sk, key): &Place, query: &Query) -> String {
    let fields = Value::from(vec![index_label(query), &query.pk, sk, &key.pk, &key.sk]);
    URL_SAFE_NO_PAD.encode(fields.to_string())
}

fn read_position(text: &str, query: &Query) -> Result<Place, TableError> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| TableError::BadPosition)?;
    let fields: Vec<String> = serde_json::from_slice(&json).map_err(|_| TableError::BadPosition)?;
    match <[String; 5]>::try_from(fields) {
        Ok([index, query_pk, sk, pk, item_sk])
            if index == index_label(query) && query_pk == query.pk && in_bounds(&sk, query) =>
        {
            Ok((sk, ItemKey::new(pk, item_sk)))
        }
        _ => Err(TableError::BadPosition),
    }
}

fn index_label(query: &Query) -> &'static str {
    match query.index {
        None => "table",
        Some(IndexName::Gsi1) => "gsi1",
        Some(IndexName::Gsi2) => "gsi2",
    }
}

fn holds(condition: &Condition, stored: Option<&Item>) -> bool {
    match (condition, stored) {
        (Condition::None, _)
        | (Condition::NotExists | Condition::NotExistsOrExpiredBefore(_), None)
        | (Condition::Exists, Some(_)) => true,
        (Condition::Version(version), Some(item)) => item.version == Some(*version),
        // Kept rounded up, compared rounded down: never taken too early.
        (Condition::NotExistsOrExpiredBefore(time), Some(item)) => {
            item.expires_at.is_some_and(|expires_at| expires_at.as_second() < rounded_down(*time))
        }
        (Condition::NotExists, Some(_)) | (Condition::Exists | Condition::Version(_), None) => false,
    }
}

/// The write as it would be stored, or why it cannot be.
fn canonical_write(write: Write) -> Result<Write, TableError> {
    let Write::Put(mut item, condition) = write else {
        return Ok(write);
    };
    for (pk, sk) in [&item.gsi1, &item.gsi2].into_iter().flatten() {
        check_key(pk, sk)?;
    }
    if let Some(name) = RESERVED.iter().find(|name| item.attributes.contains_key(**name)) {
        return Err(malformed(format!("an item's own attribute may not be called {name}")));
    }
    item.expires_at = item.expires_at.map(rounded_up);
    item.attributes.retain(|_, value| !value.is_null());
    item.attributes.values_mut().try_for_each(canonical_value)?;
    if serde_json::to_vec(&item.attributes).is_ok_and(|json| json.len() > MOST_BYTES) {
        return Err(malformed("the item is too large"));
    }
    Ok(Write::Put(item, condition))
}

/// DynamoDB has one kind of number: a float without a fraction comes back as an integer.
fn canonical_value(value: &mut Value) -> Result<(), TableError> {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_f64().filter(|_| number.is_f64()).unwrap_or_default().abs();
            if magnitude != 0.0 && !(1e-130..1e126).contains(&magnitude) {
                return Err(malformed(format!("{number} is beyond DynamoDB's numbers")));
            }
            if let Some(whole) = whole(number) {
                *number = whole;
            }
            Ok(())
        }
        Value::Array(values) => values.iter_mut().try_for_each(canonical_value),
        Value::Object(values) => values.values_mut().try_for_each(canonical_value),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn whole(number: &Number) -> Option<Number> {
    // Rust prints a float without exponent, and without `.0`.
    let digits = number.as_f64().filter(|_| number.is_f64())?.to_string();
    let digits = if digits == "-0" { "0" } else { &digits };
    digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from)).ok()
}

fn rounded_up(time: Timestamp) -> Timestamp {
    let up = time.as_second() + i64::from(time.subsec_nanosecond() > 0);
    Timestamp::from_second(up).unwrap_or(Timestamp::MAX)
}

fn rounded_down(time: Timestamp) -> i64 {
    time.as_second() - i64::from(time.subsec_nanosecond() < 0)
}

fn check_distinct(keys: &[ItemKey]) -> Result<(), TableError> {
    keys.iter().try_for_each(|key| check_key(&key.pk, &key.sk))?;
    if keys.len() > 100 || keys.iter().collect::<HashSet<_>>().len() < keys.len() {
        return Err(malformed("at most 100 keys, each once"));
    }
    Ok(())
}

fn check_key(pk: &str, sk: &str) -> Result<(), TableError> {
    if pk.is_empty() || sk.is_empty() || pk.len() > 2048 || sk.len() > 1024 {
        return Err(malformed("a key is empty or too long"));
    }
    Ok(())
}

fn malformed(message: impl Into<String>) -> TableError {
    TableError::Malformed(PortError::new("table", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_fail_from_the_point_told_until_it_is_healed() {
        let table = MemoryTable::default();
        let put = |sk: &str| {
            let item = Item { pk: "P".into(), sk: sk.into(), ..Item::default() };
            table.write(Write::Put(item, Condition::None))
        };
        table.fail_writes_after(1);
        put("a").await.unwrap();
        assert!(matches!(put("b").await, Err(TableError::Unavailable(_))));
        assert!(matches!(put("c").await, Err(TableError::Unavailable(_))));
        table.heal();
        put("d").await.unwrap();
        assert_eq!(table.items().iter().map(|item| item.sk.as_str()).collect::<Vec<_>>(), ["a", "d"]);
    }
}
