//! What is judged later is judged now.

use domain::WorkerId;

use super::dispatch_power::power_message;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Queue;
use crate::store::PowerDue;

/// Makes a worker's power due now: it is judged at the next tick.
///
/// # Errors
/// The table failed.
pub(super) async fn make_due(ctx: &Context, id: WorkerId) -> Result<PowerDue, AppError> {
    let due = PowerDue::hurried(id, ctx.store.power(id).await?, ctx.now());
    ctx.store.save_power(&due).await?;
    Ok(due)
}

/// Makes a worker's power due now and sends it to be judged.
///
/// # Errors
/// The table failed. A send that fails is only noted: the tick sends it.
pub(super) async fn hurry(ctx: &Context, id: WorkerId) -> Result<(), AppError> {
    let due = make_due(ctx, id).await?;
    if due.due_at > ctx.now() {
        // Judged in this very moment: a message sent now would come too early, and be dropped when it is sent again.
        return Ok(());
    }
    let message = power_message(id, due.due_at);
    if let Err(error) = ctx.queues.send(Queue::Power, vec![message]).await {
        tracing::warn!(worker_id = %id, %error, "power not sent; the next tick sends it");
    }
    Ok(())
}
