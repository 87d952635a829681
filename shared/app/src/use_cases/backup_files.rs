//! The files of backups: read whole or not at all, and dropped when their time is over.

use domain::backup::Backup;
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::Files;

/// The largest file of a backup, in bytes: as much as is downloaded of a lab.
pub const FILE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// SHA-256, hexadecimal.
#[must_use]
pub fn sha256_hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The topology that was saved, in YAML, exactly as it was saved.
///
/// # Errors
/// [`AppError::Damaged`] when the file is gone or is not what was saved, or the store of files failed.
pub async fn backup_content(files: &dyn Files, backup: &Backup) -> Result<String, AppError> {
    let damaged = |what: &str| AppError::Damaged(format!("the file of backup {} {what}", backup.id));
    let content = files.get(&backup.file_key(), FILE_MAX_BYTES).await.map_err(AppError::Unavailable)?;
    let content = content.ok_or_else(|| damaged("is gone"))?;
    if sha256_hex(&content) != backup.sha256 {
        return Err(damaged("is not what was saved: its SHA-256 differs"));
    }
    String::from_utf8(content).map_err(|_| damaged("is no text"))
}

/// Drops a backup: its file first, so that no file is ever left without its record.
///
/// # Errors
/// The store of files or the table failed; dropping it again does the rest.
pub(super) async fn drop_backup(ctx: &Context, files: &dyn Files, backup: &Backup) -> Result<(), AppError> {
    files.delete(&backup.file_key()).await.map_err(AppError::Unavailable)?;
    ctx.store.drop_backup(backup.id).await
}

/// Drops the backups of the same lab that are beyond retention, now that `newest` is kept.
///
/// # Errors
/// As [`drop_backup`].
pub(super) async fn drop_beyond_retention(ctx: &Context, files: &dyn Files, newest: &Backup) -> Result<(), AppError> {
    let mut all = ctx.store.all_backups_of(newest.worker_id, &newest.lab_id).await?;
    // An index may not have the newest yet.
    if !all.iter().any(|backup| backup.id == newest.id) {
        all.push(newest.clone());
    }
    for old in ctx.settings.backups.beyond(all, ctx.now()) {
        drop_backup(ctx, files, &old).await?;
        tracing::info!(backup_id = %old.id, lab_id = %old.lab_id, "a backup beyond retention was dropped");
    }
    Ok(())
}
