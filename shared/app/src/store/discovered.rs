//! Instances that nobody manages, and when each place was last looked at.

use std::collections::BTreeSet;

use domain::discovery::{Discovered, Sweep};
use domain::instance::InstanceState;
use domain::{InstanceId, Place, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, IndexName, Item, Query, Write};

/// A place that is looked at no longer is forgotten so long after.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Items of one place that are read at a time.
const PAGE: u32 = 200;
/// Keys that the table takes at a time.
const KEYS_MAX: usize = 100;

#[derive(Serialize, Deserialize)]
struct DiscoveredRecord {
    schema: u32,
    account_id: String,
    region: String,
    instance_id: String,
    name: Option<String>,
    state: String,
    instance_type: String,
    ami_id: String,
    #[serde(default)]
    tagged: bool,
    #[serde(default)]
    worker_tag: Option<String>,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
    missed_since: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct SweepRecord {
    schema: u32,
    account_id: String,
    region: String,
    looked_at: Timestamp,
    error: Option<String>,
}

/// The last look at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceLook {
    /// Account and region.
    pub place: Place,
    /// When.
    pub looked_at: Timestamp,
    /// Why nothing could be seen, if so; EC2's words.
    pub error: Option<String>,
}

impl Store {
    /// All that is known of a place.
    ///
    /// # Errors
    /// The table failed.
    pub async fn discovered_in(&self, place: &Place) -> Result<Vec<Discovered>, AppError> {
        let partition = keys::discovered_partition(place);
        let mut query = Query::partition(partition).prefix(keys::INSTANCE_PREFIX).limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.table.query(&query).await?;
            all.extend(record::readable(&page.items, read_discovered));
            if page.next.is_none() {
                return Ok(all);
            }
            query = query.after(page.next);
        }
    }

    /// A page of those of all places, by place.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_discovered(&self, limit: u32, after: Option<String>) -> Result<Listed<Discovered>, AppError> {
        let page = self.table.query(&Query::index(IndexName::Gsi1, keys::DISCOVERED).limit(limit).after(after)).await?;
        Ok(Listed { items: record::readable(&page.items, read_discovered), next: page.next })
    }

    /// The last look at each place, those of the last week.
    ///
    /// # Errors
    /// The table failed.
    pub async fn place_looks(&self, now: Timestamp) -> Result<Vec<PlaceLook>, AppError> {
        let page = self.table.query(&Query::index(IndexName::Gsi1, keys::PLACE_LOOKS).limit(PAGE)).await?;
        let looks = record::readable(&page.items, read_look);
        Ok(looks.into_iter().filter(|look| now.duration_since(look.looked_at) < KEPT_FOR).collect())
    }

    /// Writes what a look changed.
    ///
    /// # Errors
    /// The table failed; the next look writes the rest.
    pub async fn save_sweep(&self, place: &Place, sweep: &Sweep) -> Result<(), AppError> {
        for one in &sweep.keep {
            self.table.write(Write::Put(discovered_item(one), Condition::None)).await?;
        }
        for id in &sweep.forget {
            self.table.write(Write::Delete(keys::discovered(place, id), Condition::None)).await?;
        }
        Ok(())
    }

    /// Notes a look, and why it failed if it did.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_look(&self, look: &PlaceLook) -> Result<(), AppError> {
        let PlaceLook { place, looked_at, error } = look;
        let key = keys::place_look(place);
        let record = SweepRecord {
            schema: 1,
            account_id: place.account.to_string(),
            region: place.region.to_string(),
            looked_at: *looked_at,
            error: error.clone(),
        };
        let item = Item {
            pk: key.pk,
            sk: key.sk,
            gsi1: Some((keys::PLACE_LOOKS.into(), place.to_string())),
            expires_at: Some(*looked_at + KEPT_FOR),
            attributes: record::attributes(&record),
            ..Item::default()
        };
        Ok(self.table.write(Write::Put(item, Condition::None)).await?)
    }

    /// Those of the instances that a worker stands for.
    ///
    /// # Errors
    /// The table failed.
    pub async fn claimed(&self, place: &Place, ids: &BTreeSet<InstanceId>) -> Result<BTreeSet<InstanceId>, AppError> {
        let ids: Vec<&InstanceId> = ids.iter().collect();
        let mut claimed = BTreeSet::new();
        for ids in ids.chunks(KEYS_MAX) {
            let wanted: Vec<_> = ids.iter().map(|id| keys::claim(place, id)).collect();
            let found: BTreeSet<_> = self.table.get_many(&wanted).await?.iter().map(Item::key).collect();
            let taken = ids.iter().zip(wanted).filter(|(_, key)| found.contains(key));
            claimed.extend(taken.map(|(id, _)| (*id).clone()));
        }
        Ok(claimed)
    }
}

fn discovered_item(one: &Discovered) -> Item {
    let key = keys::discovered(&one.place, &one.instance_id);
    let record = DiscoveredRecord {
        schema: 1,
        account_id: one.place.account.to_string(),
        region: one.place.region.to_string(),
        instance_id: one.instance_id.to_string(),
        name: one.name.clone(),
        state: one.state.name().into(),
        instance_type: one.instance_type.clone(),
        ami_id: one.ami_id.clone(),
        tagged: one.tagged,
        worker_tag: one.worker_tag.clone(),
        first_seen_at: one.first_seen_at,
        last_seen_at: one.last_seen_at,
        missed_since: one.missed_since,
    };
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((keys::DISCOVERED.into(), format!("{}#{}", one.place, one.instance_id))),
        expires_at: Some(one.last_seen_at + KEPT_FOR),
        attributes: record::attributes(&record),
        ..Item::default()
    }
}

fn read_discovered(item: &Item) -> Result<Discovered, AppError> {
    let record: DiscoveredRecord = record::read(item)?;
    Ok(Discovered {
        place: read_place(&record.account_id, &record.region)?,
        instance_id: record.instance_id.parse().map_err(record::bad_field)?,
        name: record.name,
        state: InstanceState::from_name(&record.state),
        instance_type: record.instance_type,
        ami_id: record.ami_id,
        tagged: record.tagged,
        worker_tag: record.worker_tag,
        first_seen_at: record.first_seen_at,
        last_seen_at: record.last_seen_at,
        missed_since: record.missed_since,
    })
}

fn read_look(item: &Item) -> Result<PlaceLook, AppError> {
    let record: SweepRecord = record::read(item)?;
    let place = read_place(&record.account_id, &record.region)?;
    Ok(PlaceLook { place, looked_at: record.looked_at, error: record.error })
}

fn read_place(account: &str, region: &str) -> Result<Place, AppError> {
    Ok(Place {
        account: account.parse().map_err(record::bad_field)?,
        region: region.parse().map_err(record::bad_field)?,
    })
}
