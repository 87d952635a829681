//! Make a lab of a backup, on the worker it was on or on another one.

use domain::lab::check_title;
use domain::operation::cml::{ImportLabTask, LabSource};
use domain::operation::{Operation, Task};
use domain::session::Person;
use domain::worker::{Command, command::Update};
use domain::{BackupId, Invalid, InvalidField, WorkerId};

use super::command::{Asked, replay, start};
use super::lab_access::running_worker;
use super::read_backups::get_backup;
use crate::context::Context;
use crate::error::AppError;

/// Starts the restoring of a backup; without a title the lab has that of the backup.
///
/// # Errors
/// There is no such backup that they see, the title is none, the worker does not run, the key does not fit, or
/// a port failed.
pub async fn restore_lab(
    ctx: &Context,
    asked: &Asked,
    person: &Person,
    worker: WorkerId,
    backup: BackupId,
    title: Option<String>,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    if let Some(title) = &title {
        let mut invalid = Invalid::default();
        check_title(title, &mut invalid);
        invalid.finish(Some(()))?;
    }
    let backup = match get_backup(ctx, person, backup).await {
        Err(AppError::NotFound { .. }) => {
            return Err(InvalidField::new("backup_id", "is not the id of a backup that is kept").into());
        }
        backup => backup?,
    };
    running_worker(ctx, worker).await?;
    let task = ImportLabTask {
        from: LabSource::Backup(backup.id),
        title: title.unwrap_or(backup.title),
        asked_at: None,
        lab: None,
        warnings: vec![],
    };
    start(ctx, asked, worker, &Command::Update(Update::default()), |_| Task::ImportLab(task.clone())).await
}
