//! Read backups: one, a page of them, or the topology that was saved.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::backup::Backup;
use domain::session::Person;
use domain::worker::Worker;
use domain::{BackupId, LabId, Sight, WorkerId};

use super::backup_files::backup_content;
use super::lab_access::sees_lab;
use super::seen_page::{Rows, seen_page};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Files;
use crate::store::Listed;

/// Which backups are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupFilter {
    /// Only of this worker's labs.
    pub worker: Option<WorkerId>,
    /// Only of this lab.
    pub lab: Option<LabId>,
}

impl BackupFilter {
    fn takes(&self, backup: &Backup) -> bool {
        self.worker.is_none_or(|worker| worker == backup.worker_id)
            && self.lab.as_ref().is_none_or(|lab| *lab == backup.lab_id)
    }
}

/// One backup. It is seen by whoever sees its lab, and by whoever made it.
///
/// # Errors
/// It does not exist or is not theirs to see, or the table failed.
pub async fn get_backup(ctx: &Context, person: &Person, id: BackupId) -> Result<Backup, AppError> {
    let backup = ctx.store.backup(id).await?;
    match seen(ctx, person, std::slice::from_ref(&backup)).await?[..] {
        [true] => Ok(backup),
        _ => Err(AppError::no_backup(id)),
    }
}

/// A page of the backups that they see, newest first.
///
/// # Errors
/// The cursor is not one of this list, or the table failed.
pub async fn list_backups(
    ctx: &Context,
    person: &Person,
    filter: &BackupFilter,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<Backup>, AppError> {
    let rows = Backups { ctx, person, filter };
    seen_page(&ctx.settings.visibility.of(person), &rows, limit, cursor).await
}

struct Backups<'a> {
    ctx: &'a Context,
    person: &'a Person,
    filter: &'a BackupFilter,
}

#[async_trait]
impl Rows<Backup> for Backups<'_> {
    async fn page(&self, limit: u32, after: Option<String>) -> Result<Listed<Backup>, AppError> {
        // With both, the list is one of its own; the filter has nothing left to do.
        let lab = self.filter.worker.zip(self.filter.lab.as_ref());
        self.ctx.store.list_backups(lab, limit, after).await
    }

    async fn shown(&self, backups: &[Backup]) -> Result<Vec<bool>, AppError> {
        let seen = seen(self.ctx, self.person, backups).await?;
        Ok(backups.iter().zip(seen).map(|(backup, seen)| seen && self.filter.takes(backup)).collect())
    }
}

/// A backup with the topology that was saved, in YAML.
///
/// # Errors
/// As [`get_backup`] and [`backup_content`].
pub async fn download_backup(
    ctx: &Context,
    files: &dyn Files,
    person: &Person,
    id: BackupId,
) -> Result<(Backup, String), AppError> {
    let backup = get_backup(ctx, person, id).await?;
    let content = backup_content(files, &backup).await?;
    Ok((backup, content))
}

/// For each of these backups whether it is seen: by whoever made it, and by whoever sees its lab.
async fn seen(ctx: &Context, person: &Person, backups: &[Backup]) -> Result<Vec<bool>, AppError> {
    let sight = ctx.settings.visibility.of(person);
    if sight == Sight::Everything {
        return Ok(vec![true; backups.len()]);
    }
    let mut ids: Vec<WorkerId> = backups.iter().map(|backup| backup.worker_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let workers: BTreeMap<WorkerId, Worker> = ctx.store.workers(&ids).await?;
    let seen = |backup: &Backup| {
        let worker_owner = workers.get(&backup.worker_id).and_then(|worker| worker.owner.as_deref());
        sight.sees_work_of(&backup.made_by) || sees_lab(ctx, person, worker_owner, backup.lab_owner.as_deref())
    };
    Ok(backups.iter().map(seen).collect())
}
