//! Refresh: ask for both readings, and see them arrive.

use domain::operation::{Operation, OperationResult, Task};
use domain::worker::WorkerStatus;
use domain::{Timestamp, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectAws, CollectCml, Message};
use crate::ports::Queue;
use crate::use_cases::operation_run::Progress;

pub(super) async fn advance(ctx: &Context, operation: &mut Operation, id: WorkerId) -> Result<Progress, AppError> {
    let worker = ctx.store.worker(id).await?;
    if worker.status != WorkerStatus::Running {
        let message = format!("The worker is {}; there is nothing to read.", worker.status.name());
        return Ok(Progress::failed("not_running", message));
    }
    let others = ctx.store.list_operations(Some(id), 20, None).await?.items;
    let earlier = others
        .iter()
        .find(|other| other.task == Task::RefreshWorker && !other.status.is_final() && other.id < operation.id);
    if let Some(earlier) = earlier {
        let message = format!("A refresh is already under way: operation {}.", earlier.id);
        return Ok(Progress::failed("already_asked", message));
    }
    let telemetry = ctx.store.telemetry(id).await?;
    let since = |at: Option<Timestamp>| at.is_some_and(|at| at >= operation.requested_at);
    if operation.attempts > 0 && since(telemetry.aws.tried_at) && since(telemetry.cml.tried_at) {
        let mut errors = telemetry.aws.errors;
        errors.extend(telemetry.cml.errors);
        let detail = (!errors.is_empty()).then(|| format!("Read, except: {}.", errors.join("; ")));
        return Ok(Progress::Done(OperationResult { worker_id: Some(id), detail, ..OperationResult::default() }));
    }
    // Asked again at each attempt: a reading is idempotent, and a message may be lost.
    operation.attempts += 1;
    let aws = CollectAws { place: worker.place.clone(), worker_ids: vec![id] }.outgoing();
    let cml = CollectCml { worker_ids: vec![id] }.outgoing();
    ctx.queues.send(Queue::MetricsAws, vec![aws]).await.map_err(AppError::Unavailable)?;
    ctx.queues.send(Queue::MetricsCml, vec![cml]).await.map_err(AppError::Unavailable)?;
    Ok(Progress::waiting(ctx, "its readings"))
}
