//! A backup of a lab as callers see it, and what a restore takes.

use domain::backup::Backup;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ActorView, time};

/// A lab as it was saved: its topology with the configurations of its nodes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Backup)]
pub struct BackupView {
    /// Its id.
    pub id: String,
    /// The worker that the lab was on.
    pub worker_id: String,
    /// That worker's name when the lab was saved.
    pub worker_name: String,
    /// The lab.
    pub lab_id: String,
    /// The CML user who owned the lab.
    pub owner_username: Option<String>,
    /// The lab's title.
    pub title: String,
    /// The lab's description.
    pub description: Option<String>,
    /// How many nodes it has.
    pub node_count: u32,
    /// How large its file is.
    pub bytes: u64,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
    /// When it was saved.
    pub made_at: String,
    /// Who asked for it.
    pub made_by: ActorView,
    /// Nodes of which the file has what was stored before instead of what ran.
    pub not_extracted: Vec<NotExtracted>,
    /// From when on it may be dropped; the newest backup of a lab stays all the same.
    pub expires_at: String,
}

/// A node whose running configuration could not be had.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NotExtracted {
    /// Its label.
    pub node: String,
    /// Why; CML's own words where it said something.
    pub reason: String,
}

/// A page of backups, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackupList {
    /// The backups.
    pub items: Vec<BackupView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

/// The backup to make a lab of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreLab {
    /// Its id.
    pub backup_id: String,
    /// The new lab's title, 1 to 64 characters; the backup's by default.
    pub title: Option<String>,
}

impl From<&Backup> for BackupView {
    fn from(backup: &Backup) -> Self {
        let unsaved = |(node, reason): &(String, String)| NotExtracted { node: node.clone(), reason: reason.clone() };
        Self {
            id: backup.id.to_string(),
            worker_id: backup.worker_id.to_string(),
            worker_name: backup.worker_name.clone(),
            lab_id: backup.lab_id.to_string(),
            owner_username: backup.lab_owner.clone(),
            title: backup.title.clone(),
            description: backup.description.clone(),
            node_count: backup.node_count,
            bytes: backup.bytes,
            sha256: backup.sha256.clone(),
            made_at: time(backup.made_at),
            made_by: ActorView::from(&backup.made_by),
            not_extracted: backup.not_extracted.iter().map(unsaved).collect(),
            expires_at: time(backup.expires_at),
        }
    }
}
