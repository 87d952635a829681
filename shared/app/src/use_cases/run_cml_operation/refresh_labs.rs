//! Read a worker's labs now.

use domain::SignedDuration;
use domain::operation::{Operation, OperationResult};
use domain::worker::Worker;

use crate::context::Context;
use crate::error::AppError;
use crate::ports::CmlErrorKind;
use crate::use_cases::collect_labs::read_labs;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::Progress;

/// For so long a listing that cannot be read is asked for again.
const MISREAD_FOR: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    worker: &Worker,
) -> Result<Progress, AppError> {
    let listing = match read_labs(ctx, ports.controllers, way, worker).await? {
        Ok(listing) => listing,
        Err(error) => {
            let begun = operation.started_at.unwrap_or(operation.requested_at);
            let again = error.kind == CmlErrorKind::Malformed && ctx.now().duration_since(begun) < MISREAD_FOR;
            let what = || format!("an answer of the controller that can be read ({error})");
            return Ok(if again { Progress::waiting(ctx, what()) } else { failed_call(ctx, &error) });
        }
    };
    for (lab, error) in &listing.unread {
        operation.warn(format!("The lab {lab} could not be read: {}", error.message));
    }
    let detail = Some(format!("{} labs were read.", listing.labs.len()));
    Ok(Progress::Done(OperationResult { worker_id: Some(worker.id), detail, ..OperationResult::default() }))
}
