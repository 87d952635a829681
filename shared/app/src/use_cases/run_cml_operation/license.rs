//! Register, renew and give back a licence.

use domain::operation::Operation;
use domain::operation::cml::*;
use domain::worker::Worker;

use crate::context::Context;
use crate::error::AppError;
use crate::use_cases::controller::{CmlPorts, Way};
use crate::use_cases::operation_run::Progress;

pub(super) async fn register(
    _ctx: &Context,
    _ports: CmlPorts<'_>,
    _way: &Way,
    _operation: &mut Operation,
    _task: RegisterLicenseTask,
) -> Result<Progress, AppError> {
    Ok(Progress::failed("unbuilt", "unbuilt"))
}

pub(super) async fn renew(
    _ctx: &Context,
    _ports: CmlPorts<'_>,
    _way: &Way,
    _operation: &mut Operation,
) -> Result<Progress, AppError> {
    Ok(Progress::failed("unbuilt", "unbuilt"))
}

pub(super) async fn deregister(
    _ctx: &Context,
    _ports: CmlPorts<'_>,
    _way: &Way,
    _operation: &mut Operation,
) -> Result<Progress, AppError> {
    Ok(Progress::failed("unbuilt", "unbuilt"))
}
