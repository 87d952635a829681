//! The stored forms of a lab, of the mark of one that is gone, and of when all were listed.

use domain::lab::{Lab, LabState};
use domain::{LabId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::{keys, record};
use crate::error::AppError;
use crate::ports::{Item, ItemKey};

/// What the table has of a lab.
#[derive(Clone, Debug)]
pub struct KnownLab {
    /// Which lab.
    pub id: LabId,
    /// As it was read last; null when it was seen gone since.
    pub lab: Option<Lab>,
    /// When it was seen so, or seen gone.
    pub at: Timestamp,
    /// Counts the writes of its item; null in older ones.
    pub(super) version: Option<u64>,
}

impl KnownLab {
    /// What is known of a lab since `at`, of an item that says nothing of its writes.
    #[must_use]
    pub fn new(id: LabId, lab: Option<Lab>, at: Timestamp) -> Self {
        Self { id, lab, at, version: None }
    }

    /// Whether this is as new as a reading that began then, or newer.
    #[must_use]
    pub fn outlives(&self, begun: Timestamp) -> bool {
        if self.lab.is_some() { self.at > begun } else { self.at >= begun }
    }
}

#[derive(Serialize, Deserialize)]
struct LabRecord {
    schema: u32,
    id: String,
    worker_id: String,
    title: String,
    description: Option<String>,
    notes: Option<String>,
    state: Option<String>,
    owner: Option<String>,
    owner_username: Option<String>,
    node_count: Option<u32>,
    link_count: Option<u32>,
    created_at: Option<Timestamp>,
    modified_at: Option<Timestamp>,
    synced_at: Timestamp,
    missing_since: Option<Timestamp>,
}

/// In the place of a lab that was seen gone.
#[derive(Serialize, Deserialize)]
struct GoneRecord {
    schema: u32,
    id: String,
    gone_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct ListedRecord {
    schema: u32,
    listed_at: Timestamp,
}

fn item<T: Serialize>(key: ItemKey, record: &T) -> Item {
    Item { pk: key.pk, sk: key.sk, attributes: record::attributes(record), ..Item::default() }
}

pub(super) fn lab_item(lab: &Lab) -> Item {
    let record = LabRecord {
        schema: 1,
        id: lab.id.to_string(),
        worker_id: lab.worker_id.to_string(),
        title: lab.title.clone(),
        description: lab.description.clone(),
        notes: lab.notes.clone(),
        state: lab.state.as_ref().map(|state| state.name().to_owned()),
        owner: lab.owner.clone(),
        owner_username: lab.owner_username.clone(),
        node_count: lab.node_count,
        link_count: lab.link_count,
        created_at: lab.created_at,
        modified_at: lab.modified_at,
        synced_at: lab.synced_at,
        missing_since: lab.missing_since,
    };
    let by_title = (keys::LABS.into(), format!("{}#{}#{}", lab.title, lab.worker_id, lab.id));
    Item { gsi1: Some(by_title), ..item(keys::lab(lab.worker_id, &lab.id), &record) }
}

pub(super) fn gone_item(worker: WorkerId, id: &LabId, gone_at: Timestamp, kept_until: Timestamp) -> Item {
    let record = GoneRecord { schema: 1, id: id.to_string(), gone_at };
    Item { expires_at: Some(kept_until), ..item(keys::lab(worker, id), &record) }
}

pub(super) fn read_known(item: &Item) -> Result<KnownLab, AppError> {
    if item.attributes.contains_key("gone_at") {
        let gone: GoneRecord = record::read(item)?;
        let id = gone.id.parse().map_err(record::bad_field)?;
        return Ok(KnownLab { version: item.version, ..KnownLab::new(id, None, gone.gone_at) });
    }
    let lab = read_lab(item)?;
    let (id, at) = (lab.id.clone(), lab.synced_at);
    Ok(KnownLab { version: item.version, ..KnownLab::new(id, Some(lab), at) })
}

fn read_lab(item: &Item) -> Result<Lab, AppError> {
    let record: LabRecord = record::read(item)?;
    Ok(Lab {
        id: record.id.parse().map_err(record::bad_field)?,
        worker_id: record.worker_id.parse().map_err(record::bad_field)?,
        title: record.title,
        description: record.description,
        notes: record.notes,
        state: record.state.as_deref().map(LabState::from_name),
        owner: record.owner,
        owner_username: record.owner_username,
        node_count: record.node_count,
        link_count: record.link_count,
        created_at: record.created_at,
        modified_at: record.modified_at,
        synced_at: record.synced_at,
        missing_since: record.missing_since,
    })
}

pub(super) fn listed_item(worker: WorkerId, listed_at: Timestamp) -> Item {
    item(keys::labs_listed(worker), &ListedRecord { schema: 1, listed_at })
}

/// None when it cannot be read: then labs are as old as they were written.
pub(super) fn read_listed(item: &Item) -> Option<Timestamp> {
    record::read::<ListedRecord>(item).ok().map(|record| record.listed_at)
}
