//! Labs as they were read last.

use domain::lab::{Lab, LabState};
use domain::{LabId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, IndexName, Item, Query, Write};

/// Labs of one worker that are read at a time.
const PAGE: u32 = 200;

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

impl Store {
    /// A lab.
    ///
    /// # Errors
    /// It is not known, or the table failed.
    pub async fn lab(&self, worker: WorkerId, id: &LabId) -> Result<Lab, AppError> {
        let missing = || AppError::NotFound { kind: "lab", id: id.to_string() };
        read_lab(&self.table.get(&keys::lab(worker, id)).await?.ok_or_else(missing)?)
    }

    /// A page of a worker's labs, by id.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn worker_labs(
        &self,
        worker: WorkerId,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<Lab>, AppError> {
        let query = Query::partition(keys::worker(worker).pk).prefix(keys::LAB_PREFIX).limit(limit).after(after);
        let page = self.table.query(&query).await?;
        Ok(Listed { items: record::readable(&page.items, read_lab), next: page.next })
    }

    /// All labs of a worker.
    ///
    /// # Errors
    /// The table failed.
    pub async fn all_worker_labs(&self, worker: WorkerId) -> Result<Vec<Lab>, AppError> {
        let (mut labs, mut after) = (Vec::new(), None);
        loop {
            let page = self.worker_labs(worker, PAGE, after).await?;
            labs.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(labs);
            }
        }
    }

    /// A page of the labs of all workers, by title.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_labs(&self, limit: u32, after: Option<String>) -> Result<Listed<Lab>, AppError> {
        let page = self.table.query(&Query::index(IndexName::Gsi1, keys::LABS).limit(limit).after(after)).await?;
        Ok(Listed { items: record::readable(&page.items, read_lab), next: page.next })
    }

    /// Writes a lab as it was read.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_lab(&self, lab: &Lab) -> Result<(), AppError> {
        Ok(self.table.write(Write::Put(lab_item(lab), Condition::None)).await?)
    }

    /// Forgets a lab.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_lab(&self, worker: WorkerId, id: &LabId) -> Result<(), AppError> {
        Ok(self.table.write(Write::Delete(keys::lab(worker, id), Condition::None)).await?)
    }
}

fn lab_item(lab: &Lab) -> Item {
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
    let key = keys::lab(lab.worker_id, &lab.id);
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((keys::LABS.into(), format!("{}#{}#{}", lab.title, lab.worker_id, lab.id))),
        gsi2: None,
        version: None,
        expires_at: None,
        attributes: record::attributes(&record),
    }
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
