//! One run of an operation: read, take a step, write. Every consumer of operations goes this way.

use async_trait::async_trait;
use domain::evidence::{Cause, Evidence};
use domain::operation::{Operation, OperationResult, SAFE_MODE, SUPERSEDED, Task};
use domain::worker::{Command, command::command};
use domain::{Actor, OperationId, SignedDuration, Timestamp};

use super::change::change;
use super::command::send;
use super::evidence::Failed;
use super::hurry::make_due;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Queue;

/// How soon to look again at what only takes time.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(20);
/// How soon to try again after a failure of our own, besides the queue's redelivery.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How far one run got.
pub(super) enum Progress {
    /// Done, and seen done.
    Done(OperationResult),
    /// It cannot be done: code and message.
    Failed(String, String),
    /// It waits for this, until then.
    Waiting(String, Timestamp),
    /// Another delivery of the same operation went on meanwhile; its outcome stands.
    Overtaken,
}

impl Progress {
    pub(super) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Failed(code.into(), message.into())
    }

    /// Waits for what only takes time.
    pub(super) fn waiting(ctx: &Context, what: impl Into<String>) -> Self {
        Self::Waiting(what.into(), ctx.now() + LOOK_AGAIN_AFTER)
    }
}

/// What takes an operation one step further. All of it is idempotent: it re-reads everything, does bounded
/// work and returns.
#[async_trait]
pub(super) trait Steps: Sync {
    /// One step.
    async fn advance(&self, ctx: &Context, operation: &mut Operation) -> Result<Progress, AppError>;

    /// The operation has ended, however it did: what was kept for it alone goes. Called before the end is written
    /// down, so that nothing of it is forgotten.
    async fn tidy_up(&self, _ctx: &Context, _operation: &mut Operation) -> Result<(), AppError> {
        Ok(())
    }

    /// Keeps what tells why the operation failed, as far as it can be had. Called once its end is written down.
    async fn document(&self, _ctx: &Context, _operation: &Operation, _failed: &Failed) -> Vec<Evidence> {
        vec![]
    }
}

/// Runs one operation that came from `queue`. An ended or unknown one is done already; one that belongs
/// into another queue is handed over: who consumes this one has no permission for it.
pub(super) async fn run(ctx: &Context, queue: Queue, id: OperationId, steps: &dyn Steps) -> Result<(), AppError> {
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
    let progress = match steps.advance(ctx, &mut operation).await {
        Ok(progress) => progress,
        Err(error) => {
            // It says nothing of the operation; but it must not stay at the head of what is due.
            ctx.store.defer_operation(&operation, now + TRY_AGAIN_AFTER).await?;
            return Err(error);
        }
    };
    match progress {
        Progress::Overtaken => return Ok(()),
        Progress::Done(result) => operation.succeed(result, ctx.now()),
        Progress::Failed(code, message) => operation.fail(code, message, ctx.now()),
        Progress::Waiting(what, until) => {
            operation.waiting_for = Some(what);
            due_at = until.min(operation.expires_at);
            operation.expire_if_due(ctx.now());
        }
    }
    if operation.status.is_final() {
        steps.tidy_up(ctx, &mut operation).await?;
    }
    tell_worker(ctx, &operation).await?;
    // Another delivery of the same operation may have written first. All calls are idempotent, so
    // it got at least as far; its outcome stands.
    let saved = ctx.store.save_operation(&mut operation, due_at, ctx.settings.operation_retention).await?;
    if saved {
        document(ctx, &mut operation, steps).await;
        judge_anew(ctx, &operation).await;
    }
    if saved && !operation.status.is_final() && Queue::of(&operation.task) != queue {
        send(ctx, &operation).await;
    }
    tracing::info!(
        operation_id = %id, kind = operation.task.kind(), status = operation.status.name(),
        attempts = operation.attempts, waiting_for = operation.waiting_for, "operation advanced"
    );
    Ok(())
}

/// What was awaited of a worker has ended: what that means for it is judged at the next tick, not minutes later.
async fn judge_anew(ctx: &Context, operation: &Operation) {
    let ended = operation.task.moves_instance() && operation.status.is_final();
    let Some(id) = operation.target.filter(|_| ended) else { return };
    if let Err(error) = make_due(ctx, id).await {
        tracing::warn!(worker_id = %id, %error, "it is judged when it is due");
    }
}

/// Keeps evidence of a failure, and points to it. Should that be cut off, the operation has ended all the same, and
/// what was kept is found with its worker.
async fn document(ctx: &Context, operation: &mut Operation, steps: &dyn Steps) {
    let (Some(worker_id), Some(error), Some(at)) = (operation.target, &operation.error, operation.finished_at) else {
        return;
    };
    let failed = Failed { worker_id, cause: Cause::Operation { id: operation.id, code: error.code.clone() }, at };
    let evidence = steps.document(ctx, operation, &failed).await;
    if evidence.is_empty() {
        return;
    }
    operation.evidence = evidence.iter().map(Evidence::pointer).collect();
    if let Err(error) = ctx.store.save_operation(operation, at, ctx.settings.operation_retention).await {
        tracing::warn!(operation_id = %operation.id, %error, "an operation does not point to its evidence");
    }
}

/// What holds whatever destroys something, while the fleet is frozen.
///
/// # Errors
/// The table failed: then nothing destructive may be done either.
pub(super) async fn frozen(ctx: &Context) -> Result<Option<Progress>, AppError> {
    let fleet = ctx.store.fleet_state().await?;
    Ok(fleet.frozen_since.map(|_| {
        let why = fleet.frozen_reason.unwrap_or_default();
        Progress::waiting(ctx, format!("the fleet to be released from frozen mode ({why})"))
    }))
}

/// Writes down how far the operation is before something is done that must not be done twice. False when
/// another delivery wrote first: then this one is [`Progress::Overtaken`].
pub(super) async fn keep(ctx: &Context, operation: &mut Operation) -> Result<bool, AppError> {
    let due_at = ctx.now() + TRY_AGAIN_AFTER;
    ctx.store.save_operation(operation, due_at, ctx.settings.operation_retention).await
}

/// What was wished for did not come: the worker's reason says so, instead of claiming that it did.
async fn tell_worker(ctx: &Context, operation: &Operation) -> Result<(), AppError> {
    let verb = match operation.task {
        Task::CreateWorker => "Launching",
        Task::StartWorker => "Starting",
        Task::StopWorker => "Stopping",
        Task::TerminateWorker | Task::RetireWorker(_) => "Terminating",
        _ => return Ok(()),
    };
    let (Some(id), Some(error)) = (operation.target, &operation.error) else { return Ok(()) };
    // Superseded: somebody wants otherwise by now, and the reason of that stands. A safe end that a brake held has
    // changed nothing, and no wish.
    let held = matches!(operation.task, Task::RetireWorker(_)) && error.code == SAFE_MODE;
    if error.code == SUPERSEDED || held {
        return Ok(());
    }
    let reason = format!("{verb} it failed, asked by {}: {}: {}", operation.requested_by, error.code, error.message);
    let failed = Command::WishFailed { reason };
    change(ctx, id, &Actor::Aws, |worker| Ok(command(worker, &failed)?)).await?;
    Ok(())
}
