//! Delete a backup.

use domain::BackupId;

use super::backup_files::drop_backup;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Files;

/// Deletes a backup with its file, though it be the only one of its lab.
///
/// # Errors
/// It does not exist, or the store of files or the table failed; then it may be asked for again.
pub async fn delete_backup(ctx: &Context, files: &dyn Files, id: BackupId) -> Result<(), AppError> {
    drop_backup(ctx, files, &ctx.store.backup(id).await?).await
}
