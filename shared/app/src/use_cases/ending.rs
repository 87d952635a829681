//! The operation that ends a worker, if one does.

use domain::operation::{Operation, Task};
use domain::worker::{DesiredState, Worker};
use domain::{OperationId, Timestamp, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::store::{Ending, EndingChange, EndingStage};

/// The operation that is ending a worker now, safely or by force, also while one that was taken back has not heard of
/// that.
///
/// # Errors
/// The table failed.
pub(super) async fn retirement_under_way(ctx: &Context, id: WorkerId) -> Result<Option<Operation>, AppError> {
    Ok(under_way(ctx, id).await?.map(|(_, operation)| operation))
}

/// The same, but only where it goes on to the end.
///
/// # Errors
/// The table failed.
pub(super) async fn retirement_that_stands(ctx: &Context, id: WorkerId) -> Result<Option<Operation>, AppError> {
    let stands = |(ending, _): &(Ending, Operation)| ending.stage != EndingStage::TakenBack;
    Ok(under_way(ctx, id).await?.filter(stands).map(|(_, operation)| operation))
}

async fn under_way(ctx: &Context, id: WorkerId) -> Result<Option<(Ending, Operation)>, AppError> {
    Ok(last_ending(ctx, id).await?.filter(|(_, operation)| !operation.status.is_final()))
}

/// The operation that ends, or was last to end, a worker.
///
/// # Errors
/// The table failed.
pub(super) async fn last_ending(ctx: &Context, id: WorkerId) -> Result<Option<(Ending, Operation)>, AppError> {
    let Some(ending) = ctx.store.ending(id).await? else { return Ok(None) };
    match ctx.store.operation(ending.operation_id).await {
        // So long ago that it was forgotten.
        Err(AppError::NotFound { .. }) => Ok(None),
        other => other.map(|operation| Some((ending, operation))),
    }
}

/// What stands in the way of another wish for a worker.
pub(super) enum InTheWay {
    /// Nothing.
    Nothing,
    /// A safe end that may be taken back, by this change.
    MayBeTakenBack(EndingChange, Box<Operation>),
    /// An end that goes on.
    Ends(OperationId),
}

/// Whether that end of the worker may be taken back, until it is handed over: a safe one, unless the worker was wished
/// gone before it, which stands.
pub(super) fn may_be_taken_back(worker: &Worker, ending: &Operation) -> bool {
    matches!(ending.task, Task::RetireWorker(_)) && worker.desired != DesiredState::Terminated
}

/// Until when this end had labs stopped: now, while it goes on.
pub(super) fn stopped_until(ctx: &Context, ending: &Operation) -> Timestamp {
    ending.finished_at.unwrap_or_else(|| ctx.now())
}

/// What stands in the way of wanting the worker otherwise than gone.
///
/// # Errors
/// The table failed.
pub(super) async fn in_the_way(ctx: &Context, id: WorkerId) -> Result<InTheWay, AppError> {
    let Some((ending, operation)) = under_way(ctx, id).await? else { return Ok(InTheWay::Nothing) };
    let worker = ctx.store.worker(id).await?;
    Ok(match ending.stage {
        EndingStage::TakenBack => InTheWay::Nothing,
        EndingStage::Begun if may_be_taken_back(&worker, &operation) => {
            let taken_back = Ending { stage: EndingStage::TakenBack, ..ending };
            InTheWay::MayBeTakenBack(EndingChange::Is(id, taken_back), Box::new(operation))
        }
        EndingStage::Begun | EndingStage::HandedOver => InTheWay::Ends(operation.id),
    })
}
