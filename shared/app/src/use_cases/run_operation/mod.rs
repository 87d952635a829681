//! Take an operation one step further. It re-reads everything, does bounded work and returns;
//! what it waits for is looked at again when the operation is next due.

mod import;
mod instance;
mod refresh;

use domain::operation::{Operation, OperationResult, Task};
use domain::worker::{Command, command::command};
use domain::{Actor, OperationId, SignedDuration, Timestamp};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Queue};
use crate::use_cases::change::change;
use crate::use_cases::command::send;

/// How soon to look again at what only takes time.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(20);

/// How soon to try again after a failure of our own, besides the queue's redelivery.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How far one run got.
enum Progress {
    /// Done, and seen done.
    Done(OperationResult),
    /// It cannot be done: code and message.
    Failed(String, String),
    /// It waits for this, until then.
    Waiting(String, Timestamp),
}

impl Progress {
    fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Failed(code.into(), message.into())
    }

    /// Waits for what only takes time.
    fn waiting(ctx: &Context, what: impl Into<String>) -> Self {
        Self::Waiting(what.into(), ctx.now() + LOOK_AGAIN_AFTER)
    }
}

/// Runs one operation, of any kind but import. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_operation(ctx: &Context, ec2: &dyn Ec2, id: OperationId) -> Result<(), AppError> {
    run(ctx, ec2, Queue::Operations, id).await
}

/// Runs one import. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_import(ctx: &Context, ec2: &dyn Ec2, id: OperationId) -> Result<(), AppError> {
    run(ctx, ec2, Queue::Imports, id).await
}

/// Runs one operation that came from `queue`. One that belongs into another is handed over: who
/// consumes this queue has no permission for it.
async fn run(ctx: &Context, ec2: &dyn Ec2, queue: Queue, id: OperationId) -> Result<(), AppError> {
    let mut operation = match ctx.store.operation(id).await {
        Err(AppError::NotFound { .. }) => return ctx.store.drop_operation_due(id).await,
        other => other?,
    };
    if operation.status.is_final() {
        return ctx.store.drop_operation_due(id).await;
    }
    if Queue::of(&operation.task) != queue {
        send(ctx, &operation).await;
        return Ok(());
    }
    let now = ctx.now();
    let mut due_at = now;
    // Even past the deadline it is looked at once more: what it wanted may have come true.
    operation.begin(now);
    let progress = match advance(ctx, ec2, &mut operation).await {
        Ok(progress) => progress,
        Err(error) => {
            // It says nothing of the operation; but it must not stay at the head of what is due.
            ctx.store.defer_operation(&operation, now + TRY_AGAIN_AFTER).await?;
            return Err(error);
        }
    };
    match progress {
        Progress::Done(result) => operation.succeed(result, ctx.now()),
        Progress::Failed(code, message) => operation.fail(code, message, ctx.now()),
        Progress::Waiting(what, until) => {
            operation.waiting_for = Some(what);
            due_at = until.min(operation.expires_at);
            operation.expire_if_due(ctx.now());
        }
    }
    tell_worker(ctx, &operation).await?;
    // Another delivery of the same operation may have written first. All calls are idempotent, so
    // it got at least as far; its outcome stands.
    ctx.store.save_operation(&mut operation, due_at, ctx.settings.operation_retention).await?;
    tracing::info!(
        operation_id = %id, kind = operation.task.kind(), status = operation.status.name(),
        attempts = operation.attempts, waiting_for = operation.waiting_for, "operation advanced"
    );
    Ok(())
}

/// What was wished for did not come: the worker's reason says so, instead of claiming that it did.
async fn tell_worker(ctx: &Context, operation: &Operation) -> Result<(), AppError> {
    let verb = match operation.task {
        Task::CreateWorker => "Launching",
        Task::StartWorker => "Starting",
        Task::StopWorker => "Stopping",
        Task::TerminateWorker => "Terminating",
        _ => return Ok(()),
    };
    let (Some(id), Some(error)) = (operation.target, &operation.error) else { return Ok(()) };
    // Superseded: somebody wants otherwise by now, and the reason of that stands.
    if error.code == "superseded" {
        return Ok(());
    }
    let reason = format!("{verb} it failed, asked by {}: {}: {}", operation.requested_by, error.code, error.message);
    let failed = Command::WishFailed { reason };
    change(ctx, id, &Actor::Aws, |worker| Ok(command(worker, &failed)?)).await?;
    Ok(())
}

async fn advance(ctx: &Context, ec2: &dyn Ec2, operation: &mut Operation) -> Result<Progress, AppError> {
    let task = operation.task.clone();
    match (&task, operation.target) {
        (Task::ImportWorkers(import), _) => import::advance(ctx, ec2, operation, import).await,
        (Task::RefreshWorker, Some(worker)) => refresh::advance(ctx, operation, worker).await,
        (_, Some(worker)) => instance::advance(ctx, ec2, operation, worker).await,
        (_, None) => Ok(Progress::failed("no_target", "The operation names no worker.")),
    }
}
