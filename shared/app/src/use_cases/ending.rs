//! The operation that ends a worker, if one does.

use domain::WorkerId;
use domain::operation::Operation;

use crate::context::Context;
use crate::error::AppError;

/// The operation that is ending a worker now: safely, or by force.
///
/// # Errors
/// The table failed.
pub(super) async fn retirement_under_way(ctx: &Context, id: WorkerId) -> Result<Option<Operation>, AppError> {
    Ok(last_ending(ctx, id).await?.filter(|operation| !operation.status.is_final()))
}

/// The operation that ends, or was last to end, a worker.
///
/// # Errors
/// The table failed.
pub(super) async fn last_ending(ctx: &Context, id: WorkerId) -> Result<Option<Operation>, AppError> {
    let Some(ending) = ctx.store.ending(id).await? else { return Ok(None) };
    match ctx.store.operation(ending.operation_id).await {
        // So long ago that it was forgotten.
        Err(AppError::NotFound { .. }) => Ok(None),
        other => other.map(Some),
    }
}
