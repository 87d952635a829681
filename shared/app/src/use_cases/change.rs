//! Writing what was observed or asked where no operation is needed.

use domain::worker::{Change, Worker, WorkerEvent};
use domain::{Actor, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, CommitError};
use crate::use_cases::command::into_app_error;

/// How often events are judged anew when others change the same worker.
const ATTEMPTS: usize = 5;

/// Judges `events` on the worker as it is, and writes what they change. The worker after it.
///
/// # Errors
/// The judgement's own, the worker does not exist, or the table failed.
pub async fn change(
    ctx: &Context,
    id: WorkerId,
    actor: &Actor,
    events: impl Fn(&Worker) -> Result<Vec<WorkerEvent>, AppError> + Send + Sync,
) -> Result<Worker, AppError> {
    let mut worker = ctx.store.worker(id).await?;
    for _ in 0..ATTEMPTS {
        let Some(change) = Change::of(&worker, events(&worker)?, actor.clone(), ctx.now()) else { return Ok(worker) };
        let commit = Commit { change: Some(change), ..Commit::default() };
        match ctx.store.commit(&commit, ctx.settings.operation_retention).await {
            Ok(()) => return Ok(commit.change.map_or(worker, |change| change.worker)),
            Err(CommitError::WorkerChanged) => worker = ctx.store.worker(id).await?,
            Err(error) => return Err(into_app_error(error)),
        }
    }
    Err(AppError::Busy(id))
}

/// The same, from a snapshot just read; a conflict reads it again.
///
/// # Errors
/// As [`change`].
pub async fn observe(
    ctx: &Context,
    worker: &Worker,
    actor: &Actor,
    events: impl Fn(&Worker) -> Vec<WorkerEvent> + Send + Sync,
) -> Result<Worker, AppError> {
    // Most observations tell nothing new: then nothing is read or written.
    if events(worker).is_empty() {
        return Ok(worker.clone());
    }
    change(ctx, worker.id, actor, |worker| Ok(events(worker))).await
}
