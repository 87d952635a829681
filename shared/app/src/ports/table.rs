//! The table: a few operations of DynamoDB, with its semantics.
//!
//! An item is a JSON object of attributes plus its keys. Adapters keep `pk`, `sk`, the index keys,
//! `version` and `expires_at` as attributes of their own and everything else as native maps, so
//! that a person can read an item in the AWS console.

use async_trait::async_trait;
use domain::Timestamp;
use serde_json::{Map, Value};

use super::error::PortError;

/// An item's primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl ItemKey {
    /// A key.
    #[must_use]
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// The two overloaded indexes. Both are sparse: an item without the keys is not in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexName {
    /// Lists, feeds and due items.
    Gsi1,
    /// Second ways to the same item: running workers, operations by target.
    Gsi2,
}

/// One stored item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
    /// Key in the first index, if it is in it: partition, sort.
    pub gsi1: Option<(String, String)>,
    /// Key in the second index, if it is in it: partition, sort.
    pub gsi2: Option<(String, String)>,
    /// The optimistic lock, for items that have one.
    pub version: Option<u64>,
    /// When it may be removed, in whole seconds. Removal is late by up to days: readers judge expiry.
    pub expires_at: Option<Timestamp>,
    /// Everything else, by attribute. Null values are not stored.
    pub attributes: Map<String, Value>,
}

impl Item {
    /// Its primary key.
    #[must_use]
    pub fn key(&self) -> ItemKey {
        ItemKey::new(self.pk.clone(), self.sk.clone())
    }

    /// Its key in an index.
    #[must_use]
    pub fn index_key(&self, index: IndexName) -> Option<&(String, String)> {
        match index {
            IndexName::Gsi1 => self.gsi1.as_ref(),
            IndexName::Gsi2 => self.gsi2.as_ref(),
        }
    }
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Nothing.
    None,
    /// No item has the key.
    NotExists,
    /// An item has the key.
    Exists,
    /// The stored item has this version.
    Version(u64),
    /// No item has the key, or its `expires_at` is before this: how leases and idempotency records are taken.
    NotExistsOrExpiredBefore(Timestamp),
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Put a whole item.
    Put(Item, Condition),
    /// Delete an item.
    Delete(ItemKey, Condition),
    /// Only check.
    Check(ItemKey, Condition),
}

impl Write {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> ItemKey {
        match self {
            Self::Put(item, _) => item.key(),
            Self::Delete(key, _) | Self::Check(key, _) => key.clone(),
        }
    }

    /// Its condition.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        match self {
            Self::Put(_, condition) | Self::Delete(_, condition) | Self::Check(_, condition) => condition,
        }
    }
}

/// A query of one partition, in sort key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The index, or none for the table itself.
    pub index: Option<IndexName>,
    /// The partition.
    pub pk: String,
    /// Sort keys from this one on, inclusive.
    pub from: Option<String>,
    /// Sort keys up to this one, inclusive.
    pub to: Option<String>,
    /// Newest (greatest) first.
    pub descending: bool,
    /// At most this many items, 1 to 1000.
    pub limit: u32,
    /// Continue after the item with this position, from an earlier [`Page`].
    pub after: Option<String>,
}

impl Query {
    /// All of a partition of the table, 100 items a page.
    #[must_use]
    pub fn partition(pk: impl Into<String>) -> Self {
        Self { index: None, pk: pk.into(), from: None, to: None, descending: false, limit: 100, after: None }
    }

    /// All of a partition of an index, 100 items a page.
    #[must_use]
    pub fn index(index: IndexName, pk: impl Into<String>) -> Self {
        Self { index: Some(index), ..Self::partition(pk) }
    }

    /// Only sort keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.from = Some(prefix.to_owned());
        // Greater than every key with the prefix: keys sort by their UTF-8 bytes.
        self.to = Some(format!("{prefix}\u{10ffff}"));
        self
    }

    /// Only sort keys from `from` to `to`, both inclusive.
    #[must_use]
    pub fn between(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.from = Some(from.into());
        self.to = Some(to.into());
        self
    }

    /// Greatest sort key first.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most so many items.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Continue after an earlier page.
    #[must_use]
    pub fn after(mut self, position: Option<String>) -> Self {
        self.after = position;
        self
    }
}

/// A page of items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Where to go on, when there may be more. Opaque; good for the same query only.
    pub next: Option<String>,
}

/// Why a table operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A condition did not hold; nothing was written. The positions of the writes that failed,
    /// in the order given (a single put has position 0).
    #[error("a condition did not hold, of the writes {failed:?}")]
    Condition {
        /// Positions.
        failed: Vec<usize>,
    },
    /// Another transaction touched the same items; nothing was written, and it may be tried again.
    #[error("another transaction touched the same items")]
    Conflict,
    /// A position for [`Query::after`] that no query of ours gave out.
    #[error("the cursor is not one of this list")]
    BadPosition,
    /// The table could not be reached, or failed, or throttled.
    #[error(transparent)]
    Unavailable(PortError),
    /// An item cannot be read, or is too large to be written.
    #[error(transparent)]
    Malformed(PortError),
}

/// The table. Reads of the table itself are strongly consistent, reads of an index are not.
#[async_trait]
pub trait Table: Send + Sync {
    /// The item, if it exists.
    async fn get(&self, key: &ItemKey) -> Result<Option<Item>, TableError>;

    /// Those of the items that exist, in any order; at most 100 keys, each once.
    async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Item>, TableError>;

    /// A page of a query.
    async fn query(&self, query: &Query) -> Result<Page, TableError>;

    /// One write. A failed condition is [`TableError::Condition`] with `failed: [0]`.
    async fn write(&self, write: Write) -> Result<(), TableError>;

    /// All of the writes or none; 1 to 100, each of another item.
    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError>;
}
