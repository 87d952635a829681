//! Writing what was observed or asked where no operation is needed.

use domain::worker::{Change, Worker, WorkerEvent};
use domain::{Actor, InstanceId, WorkerId};

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
        let claim = match claim(&change) {
            Some(instance) if ctx.store.claimant(&worker.place, &instance).await? != Some(id) => {
                Some((worker.place.clone(), instance, id))
            }
            _ => None,
        };
        let commit = Commit { change: Some(change), claim, ..Commit::default() };
        match ctx.store.commit(&commit, ctx.settings.operation_retention).await {
            Ok(()) => return Ok(commit.change.map_or(worker, |change| change.worker)),
            Err(CommitError::WorkerChanged | CommitError::Contended) => worker = ctx.store.worker(id).await?,
            Err(error) => return Err(into_app_error(error)),
        }
    }
    Err(AppError::Busy(id))
}

/// The instance that a change attaches: claimed in the same transaction, so that no crash leaves it
/// to somebody else, and EC2's notifications find their worker.
fn claim(change: &Change) -> Option<InstanceId> {
    change.events.iter().find_map(|event| match event {
        WorkerEvent::InstanceAttached(facts) => Some(facts.id.clone()),
        _ => None,
    })
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
