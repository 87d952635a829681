//! Read what was kept of a worker's failures.

use domain::evidence::{EVIDENCE_MAX_BYTES, Evidence};
use domain::{EvidenceId, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::Files;
use crate::store::Listed;

/// A page of what was kept of a worker's failures, the newest first.
///
/// # Errors
/// The worker does not exist, the cursor is not one of this list, or the table failed.
pub async fn list_evidence(
    ctx: &Context,
    worker: WorkerId,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<Evidence>, AppError> {
    // A worker that does not exist is not one that never failed.
    ctx.store.worker(worker).await?;
    ctx.store.list_evidence(worker, limit, cursor, ctx.now()).await
}

/// A text that was kept, with what is known of it.
///
/// # Errors
/// There is none of that id, or its time is over; or the table or the store of files failed.
pub async fn download_evidence(
    ctx: &Context,
    files: &dyn Files,
    worker: WorkerId,
    id: EvidenceId,
) -> Result<(Evidence, String), AppError> {
    let found = ctx.store.find_evidence(worker, id, ctx.now()).await?;
    let evidence = found.ok_or_else(|| AppError::no_evidence(id))?;
    let content = files.get(&evidence.file_key(), EVIDENCE_MAX_BYTES).await.map_err(AppError::Unavailable)?;
    let content = content.ok_or_else(|| AppError::no_evidence(id))?;
    Ok((evidence, String::from_utf8_lossy(&content).into_owned()))
}
