//! Read backups: one, a page of them, or the topology that was saved.

use std::collections::BTreeMap;

use domain::backup::Backup;
use domain::session::Person;
use domain::worker::Worker;
use domain::{BackupId, LabId, Sight, WorkerId};

use super::backup_files::backup_content;
use super::lab_access::sees_lab;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Files;
use crate::store::Listed;

/// Pages read for one answer when a filter matches little.
const PAGES_PER_ANSWER: usize = 10;

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
    only_seen(ctx, person, vec![backup]).await?.pop().ok_or_else(|| AppError::no_backup(id))
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
    // With both, the list is one of its own; the filter has nothing left to do.
    let lab = filter.worker.zip(filter.lab.as_ref());
    let (mut items, mut next): (Vec<Backup>, _) = (Vec::new(), cursor);
    for _ in 0..PAGES_PER_ANSWER {
        let missing = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(limit));
        let page = ctx.store.list_backups(lab, missing, next).await?;
        let fitting = page.items.into_iter().filter(|backup| filter.takes(backup)).collect();
        items.extend(only_seen(ctx, person, fitting).await?);
        next = page.next;
        if next.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Listed { items, next })
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

async fn only_seen(ctx: &Context, person: &Person, backups: Vec<Backup>) -> Result<Vec<Backup>, AppError> {
    let sight = ctx.settings.visibility.of(person);
    if sight == Sight::Everything {
        return Ok(backups);
    }
    let mut ids: Vec<WorkerId> = backups.iter().map(|backup| backup.worker_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let workers: BTreeMap<WorkerId, Worker> = ctx.store.workers(&ids).await?;
    let seen = |backup: &Backup| {
        let worker_owner = workers.get(&backup.worker_id).and_then(|worker| worker.owner.as_deref());
        sight.sees_work_of(&backup.made_by) || sees_lab(ctx, person, worker_owner, backup.lab_owner.as_deref())
    };
    Ok(backups.into_iter().filter(seen).collect())
}
