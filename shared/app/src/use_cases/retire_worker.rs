//! The end of a worker: what is on it is saved first, unless somebody says why not.

use domain::WorkerId;
use domain::operation::cml::RetireTask;
use domain::operation::{Operation, Task};
use domain::worker::{Command, DesiredState, Worker, WorkerStatus, command::Update, command::command};

use super::command::{Asked, check_version, replay, start};
use super::worker_commands::{terminate_for, terminate_worker, who};
use crate::context::Context;
use crate::error::AppError;
use crate::store::CmlReadings;

/// Newest operations of a worker among which one that ends it is looked for.
const NEWEST: u32 = 20;

/// Starts the safe end of a worker: its labs are saved, people are told, its seats are given back, and then it is
/// terminated. Where there is nothing to save it is terminated at once. One that is under way goes on.
///
/// # Errors
/// The worker does not exist or is gone, the version or the key do not fit, or a port failed.
pub async fn retire_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let worker = ctx.store.worker(id).await?;
    check_version(asked, &worker)?;
    let reason = format!("Terminated by {}.", who(&asked.actor));
    command(&worker, &Command::Want { desired: DesiredState::Terminated, reason: reason.clone() })?;
    if nothing_to_save(ctx, &worker).await? {
        return terminate_worker(ctx, asked, id).await;
    }
    if let Some(under_way) = retirement_under_way(ctx, id).await? {
        return Ok(under_way);
    }
    let task = |_: &_| Task::RetireWorker(RetireTask::new(reason.clone()));
    start(ctx, asked, id, &Command::Update(Update::default()), task).await
}

/// Starts the termination of a worker with all that is on it, for a reason that its event tells.
///
/// # Errors
/// As [`retire_worker`].
pub async fn terminate_by_force(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    reason: &str,
) -> Result<Operation, AppError> {
    let reason = format!("Terminated by {}, by force: {reason}", who(&asked.actor));
    terminate_for(ctx, asked, id, reason).await
}

/// The operation that saves what is on a worker and ends it, if there is one.
///
/// # Errors
/// The table failed.
pub(super) async fn retirement_under_way(ctx: &Context, id: WorkerId) -> Result<Option<Operation>, AppError> {
    let newest = ctx.store.list_operations(Some(id), NEWEST, None).await?.items;
    Ok(newest.into_iter().find(|one| !one.status.is_final() && matches!(one.task, Task::RetireWorker(_))))
}

/// Whether nothing is lost with the worker: nothing ever ran, its machine is lost already, or nobody ever saw a
/// lab or a licence on it. A controller that answered once is asked itself while it runs.
///
/// # Errors
/// The table failed.
pub(super) async fn nothing_to_save(ctx: &Context, worker: &Worker) -> Result<bool, AppError> {
    let lost = worker.status.is_final() || worker.status == WorkerStatus::Failed;
    if lost || worker.desired == DesiredState::Terminated {
        return Ok(true);
    }
    if worker.status == WorkerStatus::Running && worker.certificate_sha256.is_some() {
        return Ok(false);
    }
    if worker.never_had_instance() {
        return Ok(true);
    }
    let cml = ctx.store.latest::<CmlReadings>(worker.id).await?.unwrap_or_default().cml;
    let licensed = cml.license.is_some_and(|license| license.may_hold_seat());
    let has_labs = cml.labs.is_some_and(|labs| labs > 0) || !ctx.store.all_worker_labs(worker.id).await?.is_empty();
    Ok(!licensed && !has_labs)
}
