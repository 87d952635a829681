//! Shortages of capacity that EC2 told of: small items that all workers of a place read, and that readers forget.

use domain::Timestamp;
use domain::capacity::{Market, Shortage};
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, TableError, Write};

/// How long the table keeps one after its step: longer than any reader heeds it.
const KEPT_FOR: domain::SignedDuration = domain::SignedDuration::from_hours(24);

#[derive(Serialize, Deserialize)]
struct ShortageRecord {
    schema: u32,
    code: String,
    refusals: u32,
    closed_until: Timestamp,
}

/// What is stored of one type in one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownShortage {
    /// What is heeded; null when nothing is known, or it is long past.
    pub shortage: Option<Shortage>,
    /// The stored item's version, if there is one: a write of what was not read meanwhile is refused.
    version: Option<u64>,
}

impl Store {
    /// What is known of each of these, in their order.
    ///
    /// # Errors
    /// The table failed.
    pub async fn shortages(&self, markets: &[Market], now: Timestamp) -> Result<Vec<KnownShortage>, AppError> {
        let wanted: Vec<_> = markets.iter().map(keys::shortage).collect();
        let items = self.table.get_many(&wanted).await?;
        let known = |key| items.iter().find(|item| item.key() == key).map(|item| read_shortage(item, now));
        wanted.into_iter().map(|key| known(key).transpose().map(Option::unwrap_or_default)).collect()
    }

    /// Writes what is known by now, unless somebody else wrote since `before` was read: then nothing, and false.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_shortage(
        &self,
        market: &Market,
        before: &KnownShortage,
        shortage: &Shortage,
    ) -> Result<Option<KnownShortage>, AppError> {
        let version = before.version.unwrap_or(0) + 1;
        let key = keys::shortage(market);
        let record = ShortageRecord {
            schema: 1,
            code: shortage.code.clone(),
            refusals: shortage.refusals,
            closed_until: shortage.until,
        };
        let item = Item {
            pk: key.pk,
            sk: key.sk,
            version: Some(version),
            expires_at: Some(shortage.until + KEPT_FOR),
            attributes: record::attributes(&record),
            ..Item::default()
        };
        let condition = before.version.map_or(Condition::NotExists, Condition::Version);
        Ok(self
            .unless_changed(Write::Put(item, condition))
            .await?
            .then(|| KnownShortage { shortage: Some(shortage.clone()), version: Some(version) }))
    }

    /// There is capacity again. What somebody else wrote since `known` was read stays.
    ///
    /// # Errors
    /// The table failed.
    pub async fn end_shortage(&self, market: &Market, known: &KnownShortage) -> Result<(), AppError> {
        let Some(version) = known.version else { return Ok(()) };
        let gone = Write::Delete(keys::shortage(market), Condition::Version(version));
        self.unless_changed(gone).await.map(drop)
    }

    async fn unless_changed(&self, write: Write) -> Result<bool, AppError> {
        match self.table.write(write).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn read_shortage(item: &Item, now: Timestamp) -> Result<KnownShortage, AppError> {
    let record: ShortageRecord = record::read(item)?;
    let shortage = Shortage { code: record.code, refusals: record.refusals, until: record.closed_until };
    Ok(KnownShortage { shortage: Some(shortage).filter(|known| !known.is_forgotten(now)), version: item.version })
}
