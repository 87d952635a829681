//! Renew a licence's registration, then its authorization, and see each done.

use domain::operation::cml::{RenewLicenseTask, RenewStep};
use domain::operation::{Operation, Task};

use super::{brake, done, look_again, registration, spelled};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, LicensingAttempt, LicensingStatus};
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::{Progress, keep};

/// What CML shows of a renewal that was done. Source: a recording of CML 2.9.1, `success` and `status` of
/// `renew_time`.
const DONE: [&str; 2] = ["SUCCESS", "SUCCEEDED"];

/// Looks how far it is, and asks for at most one of the two: each is accepted at once and done later.
pub(in super::super) async fn renew(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    mut task: RenewLicenseTask,
) -> Result<Progress, AppError> {
    if let Some(held) = brake(ctx) {
        return Ok(held);
    }
    let status = match ports.controllers.licensing(way.access()).await {
        Ok(status) => status,
        Err(error) => return Ok(failed_call(ctx, &error)),
    };
    if task.before.is_some() && task.before != Some(shown(&status, task.step)) {
        let renewed = attempt(&status, task.step);
        match outcome(renewed) {
            Outcome::Open => return Ok(look_again(ctx, waiting_for(&status, task.step))),
            Outcome::Failed => {
                let why = renewed.failure.clone().unwrap_or_else(|| "Smart Licensing gives no reason.".into());
                let message = format!("The {} was not renewed: {why}", name(task.step));
                return Ok(Progress::Failed("renewal_failed".into(), message));
            }
            Outcome::Done if task.step == RenewStep::Authorization => return done(ctx, operation, &status).await,
            Outcome::Done => task = RenewLicenseTask { step: RenewStep::Authorization, ..RenewLicenseTask::default() },
        }
    } else if task.accepted {
        return Ok(look_again(ctx, waiting_for(&status, task.step)));
    }
    ask(ctx, (ports, way), operation, task, &status).await
}

/// Asks for the renewal that is next. What CML showed before is written down first; to ask twice does no harm.
async fn ask(
    ctx: &Context,
    (ports, way): (CmlPorts<'_>, &Way),
    operation: &mut Operation,
    mut task: RenewLicenseTask,
    status: &LicensingStatus,
) -> Result<Progress, AppError> {
    task.before = Some(shown(status, task.step));
    operation.task = Task::RenewLicense(task.clone());
    if !keep(ctx, operation).await? {
        return Ok(Progress::Overtaken);
    }
    let asked = match task.step {
        RenewStep::Registration => ports.controllers.renew_registration(way.access()).await,
        RenewStep::Authorization => ports.controllers.renew_authorization(way.access()).await,
    };
    match asked {
        Ok(()) => {
            task.accepted = true;
            operation.task = Task::RenewLicense(task.clone());
            Ok(look_again(ctx, waiting_for(status, task.step)))
        }
        // Another one is under way, or this one is, by a request whose answer was lost.
        Err(error) if error.outcome_unknown() || error.status == Some(409) => {
            Ok(look_again(ctx, lost(&error, task.step)))
        }
        Err(error) => Ok(failed_call(ctx, &error)),
    }
}

/// How an attempt ended.
enum Outcome {
    Open,
    Done,
    Failed,
}

/// CML says why one failed, and `OK` of one that did not.
fn outcome(renewed: &LicensingAttempt) -> Outcome {
    let words = [&renewed.success, &renewed.status].map(Option::as_deref);
    if renewed.failure.as_deref().is_some_and(|why| why != "OK") || words.contains(&Some("FAILED")) {
        Outcome::Failed
    } else if words.iter().flatten().any(|word| DONE.contains(word)) {
        Outcome::Done
    } else {
        Outcome::Open
    }
}

fn attempt(status: &LicensingStatus, step: RenewStep) -> &LicensingAttempt {
    match step {
        RenewStep::Registration => &status.registration.renewed,
        RenewStep::Authorization => &status.authorization.renewed,
    }
}

fn shown(status: &LicensingStatus, step: RenewStep) -> String {
    spelled(attempt(status, step))
}

fn name(step: RenewStep) -> &'static str {
    match step {
        RenewStep::Registration => "registration",
        RenewStep::Authorization => "authorization",
    }
}

fn waiting_for(status: &LicensingStatus, step: RenewStep) -> String {
    let word = match step {
        RenewStep::Registration => registration(status),
        RenewStep::Authorization => status.authorization.status.as_deref().unwrap_or("unknown"),
    };
    format!("Smart Licensing to renew the {} (it is {word})", name(step))
}

fn lost(error: &CmlError, step: RenewStep) -> String {
    format!("CML to tell what became of the renewal of the {} ({error})", name(step))
}
