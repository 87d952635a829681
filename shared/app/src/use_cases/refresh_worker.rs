//! Read a worker's metrics now: at most once in ten seconds of machine time.

use domain::operation::{Operation, Task};
use domain::worker::{Command, command::Update};
use domain::{SignedDuration, WorkerId};

use super::command::{Asked, check_version, replay, start};
use crate::context::Context;
use crate::error::AppError;

/// How often a worker's refresh may be asked for.
const EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Starts a refresh. The operation tells when it cannot be done: the worker does not run, or a
/// refresh is already under way.
///
/// # Errors
/// Asked again too soon, the worker does not exist or is gone, or a port failed.
pub async fn refresh_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    // Unknown and terminated workers, and stale versions, are refused before the turn is taken.
    let worker = ctx.store.worker(id).await?;
    domain::worker::command::command(&worker, &Command::Update(Update::default()))?;
    check_version(asked, &worker)?;
    let turn = ctx.store.take_turn("refresh", &id.to_string(), ctx.machine_clock.now(), EVERY).await?;
    if let Some(retry_after) = turn {
        return Err(AppError::TooSoon { retry_after });
    }
    start(ctx, asked, id, &Command::Update(Update::default()), |_| Task::RefreshWorker).await
}
