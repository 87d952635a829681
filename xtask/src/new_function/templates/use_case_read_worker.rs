//! {{summary}}

use domain::WorkerId;
use domain::worker::Worker;

use crate::context::Context;
use crate::error::AppError;

/// {{summary}}
///
/// # Errors
/// The worker does not exist, or the table failed.
pub async fn {{snake}}(ctx: &Context, id: WorkerId) -> Result<Worker, AppError> {
    ctx.store.worker(id).await
}
