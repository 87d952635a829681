//! Backups of labs: what is known of each; their files are elsewhere.

use domain::backup::Backup;
use domain::lab::{LabLook, LabState};
use domain::{BackupId, LabId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::actor::ActorRecord;
use super::{Listed, Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, IndexName, Item, Query, Write};

/// Backups of one lab that are read at a time: more than are kept.
const PAGE: u32 = 200;

#[derive(Serialize, Deserialize)]
struct BackupRecord {
    schema: u32,
    id: String,
    worker_id: String,
    worker_name: String,
    lab_id: String,
    lab_owner: Option<String>,
    title: String,
    description: Option<String>,
    node_count: u32,
    bytes: u64,
    sha256: String,
    made_at: Timestamp,
    made_by: ActorRecord,
    #[serde(default)]
    not_extracted: Vec<(String, String)>,
    lab_modified_at: Option<Timestamp>,
    lab_state: Option<String>,
    kept_until: Timestamp,
}

impl Store {
    /// A backup; none when there is none of that id.
    ///
    /// # Errors
    /// The table failed.
    pub async fn find_backup(&self, id: BackupId) -> Result<Option<Backup>, AppError> {
        self.table.get(&keys::backup(id)).await?.as_ref().map(read_backup).transpose()
    }

    /// A backup.
    ///
    /// # Errors
    /// There is none of that id, or the table failed.
    pub async fn backup(&self, id: BackupId) -> Result<Backup, AppError> {
        self.find_backup(id).await?.ok_or_else(|| AppError::no_backup(id))
    }

    /// A page of the backups of all labs, or of one, newest first.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_backups(
        &self,
        lab: Option<(WorkerId, &LabId)>,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<Backup>, AppError> {
        let query = match lab {
            Some((worker, lab)) => Query::index(IndexName::Gsi2, keys::backups_of(worker, lab)),
            None => Query::index(IndexName::Gsi1, keys::BACKUPS),
        };
        let page = self.table.query(&query.newest_first().limit(limit).after(after)).await?;
        Ok(Listed { items: record::readable(&page.items, read_backup), next: page.next })
    }

    /// All backups of a lab, newest first.
    ///
    /// # Errors
    /// The table failed.
    pub async fn all_backups_of(&self, worker: WorkerId, lab: &LabId) -> Result<Vec<Backup>, AppError> {
        let (mut backups, mut after) = (Vec::new(), None);
        loop {
            let page = self.list_backups(Some((worker, lab)), PAGE, after).await?;
            backups.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(backups);
            }
        }
    }

    /// Records a backup whose file is kept. Recorded twice, it is the same one.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_backup(&self, backup: &Backup) -> Result<(), AppError> {
        Ok(self.table.write(Write::Put(backup_item(backup), Condition::None)).await?)
    }

    /// Forgets a backup whose file is gone.
    ///
    /// # Errors
    /// The table failed.
    pub async fn drop_backup(&self, id: BackupId) -> Result<(), AppError> {
        Ok(self.table.write(Write::Delete(keys::backup(id), Condition::None)).await?)
    }
}

fn backup_item(backup: &Backup) -> Item {
    let record = BackupRecord {
        schema: 1,
        id: backup.id.to_string(),
        worker_id: backup.worker_id.to_string(),
        worker_name: backup.worker_name.clone(),
        lab_id: backup.lab_id.to_string(),
        lab_owner: backup.lab_owner.clone(),
        title: backup.title.clone(),
        description: backup.description.clone(),
        node_count: backup.node_count,
        bytes: backup.bytes,
        sha256: backup.sha256.clone(),
        made_at: backup.made_at,
        made_by: ActorRecord::from(&backup.made_by),
        not_extracted: backup.not_extracted.clone(),
        lab_modified_at: backup.lab_look.modified_at,
        lab_state: backup.lab_look.state.as_ref().map(|state| state.name().to_owned()),
        kept_until: backup.expires_at,
    };
    let key = keys::backup(backup.id);
    let sort = format!("{}#{}", keys::sortable(backup.made_at), backup.id);
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((keys::BACKUPS.into(), sort.clone())),
        gsi2: Some((keys::backups_of(backup.worker_id, &backup.lab_id), sort)),
        version: None,
        // Not by the table: its file goes first, and the newest of a lab stays.
        expires_at: None,
        attributes: record::attributes(&record),
    }
}

fn read_backup(item: &Item) -> Result<Backup, AppError> {
    let record: BackupRecord = record::read(item)?;
    Ok(Backup {
        id: record.id.parse().map_err(record::bad_field)?,
        worker_id: record.worker_id.parse().map_err(record::bad_field)?,
        worker_name: record.worker_name,
        lab_id: record.lab_id.parse().map_err(record::bad_field)?,
        lab_owner: record.lab_owner,
        title: record.title,
        description: record.description,
        node_count: record.node_count,
        bytes: record.bytes,
        sha256: record.sha256,
        made_at: record.made_at,
        made_by: record.made_by.into(),
        not_extracted: record.not_extracted,
        lab_look: LabLook {
            modified_at: record.lab_modified_at,
            state: record.lab_state.as_deref().map(LabState::from_name),
        },
        expires_at: record.kept_until,
    })
}
