//! Read a worker's labs now.

use domain::operation::{Operation, OperationResult};
use domain::worker::Worker;

use crate::context::Context;
use crate::error::AppError;
use crate::use_cases::collect_labs::record_labs;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::Progress;

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    worker: &Worker,
) -> Result<Progress, AppError> {
    let asked_at = ctx.now();
    let listing = match ports.controllers.labs(way.access()).await {
        Ok(listing) => listing,
        Err(error) => return Ok(failed_call(ctx, &error)),
    };
    record_labs(ctx, worker, &listing, asked_at).await?;
    for (lab, error) in &listing.unread {
        operation.warn(format!("The lab {lab} could not be read: {}", error.message));
    }
    let detail = Some(format!("{} labs were read.", listing.labs.len()));
    Ok(Progress::Done(OperationResult { worker_id: Some(worker.id), detail, ..OperationResult::default() }))
}
