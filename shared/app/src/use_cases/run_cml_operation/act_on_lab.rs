//! Do something to a lab, and see it done.

use domain::operation::Operation;
use domain::operation::cml::*;
use domain::worker::Worker;

use crate::context::Context;
use crate::error::AppError;
use crate::use_cases::controller::{CmlPorts, Way};
use crate::use_cases::operation_run::Progress;

pub(super) async fn advance(
    _ctx: &Context,
    _ports: CmlPorts<'_>,
    _way: &Way,
    _operation: &mut Operation,
    _worker: &Worker,
    _task: LabTask,
) -> Result<Progress, AppError> {
    Ok(Progress::failed("unbuilt", "unbuilt"))
}
