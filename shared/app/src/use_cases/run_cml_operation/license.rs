//! Register, renew and give back a licence.

mod register;
mod renew;

use domain::metrics::LicenseReading;
use domain::operation::{Operation, OperationResult, SAFE_MODE};
use domain::{SignedDuration, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Deregistration, LicensingAttempt, LicensingStatus};
use crate::store::CmlReadings;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::{Progress, frozen};

pub(super) use register::register;
pub(super) use renew::renew;

/// How soon to look again at Smart Licensing, which takes 5 to 90 s. Source: cloud-cml, `license.py`.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// CML's word for a registration that stands.
const COMPLETED: &str = "COMPLETED";
/// And for none.
const NOT_REGISTERED: &str = "NOT_REGISTERED";

pub(super) async fn deregister(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
) -> Result<Progress, AppError> {
    if let Some(held) = brake(ctx) {
        return Ok(held);
    }
    if let Some(held) = frozen(ctx).await? {
        return Ok(held);
    }
    if let Err(progress) = give_back(ctx, ports, way, operation).await? {
        return Ok(progress);
    }
    Ok(Progress::Done(OperationResult { worker_id: operation.target, ..OperationResult::default() }))
}

/// Gives the seats back; what Smart Licensing may not have heard of is warned of. Done already is done.
pub(super) async fn give_back(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
) -> Result<Result<(), Progress>, AppError> {
    match ports.controllers.deregister(way.access()).await {
        Ok(Deregistration::Done | Deregistration::NotRegistered { .. }) => {}
        Ok(Deregistration::SeatMayBeTaken) => operation.warn(
            "The controller is deregistered, and Smart Licensing did not hear of it in time: the seat may still be \
             taken. Look for the product instance there, and remove it.",
        ),
        Err(error) if error.outcome_unknown() => {
            operation.warn(format!(
                "An answer to the deregistration was lost ({error}), which may have said that Smart Licensing did not \
                 hear of it: look there whether the seat is free."
            ));
            return Ok(Err(look_again(ctx, "CML to tell what became of the deregistration")));
        }
        // Something else is under way with Smart Licensing, and ends by itself.
        Err(error) if error.status == Some(409) => return Ok(Err(look_again(ctx, error.message))),
        Err(error) => return Ok(Err(failed_call(ctx, &error))),
    }
    note(ctx, operation.target, None).await?;
    Ok(Ok(()))
}

fn brake(ctx: &Context) -> Option<Progress> {
    let held = || Progress::failed(SAFE_MODE, "SAFE_MODE is on: nothing was changed of the licence.");
    ctx.settings.safe_mode.then(held)
}

fn look_again(ctx: &Context, what: impl Into<String>) -> Progress {
    Progress::Waiting(what.into(), ctx.now() + LOOK_AGAIN_AFTER)
}

fn registration(status: &LicensingStatus) -> &str {
    status.registration.status.as_deref().unwrap_or("unknown")
}

/// What CML shows of an attempt, so that a new one can be told from the one before.
fn spelled(attempt: &LicensingAttempt) -> String {
    let at = [attempt.attempted_at, attempt.succeeded_at].map(|at| at.map(|at| at.to_string()).unwrap_or_default());
    format!("{} {}", at[0], at[1])
}

/// It ends as CML shows it now.
async fn done(ctx: &Context, operation: &Operation, status: &LicensingStatus) -> Result<Progress, AppError> {
    note(ctx, operation.target, Some(status)).await?;
    Ok(Progress::Done(OperationResult { worker_id: operation.target, ..OperationResult::default() }))
}

/// Records what is known of the licence now, so that nobody has to wait for the next reading to know that there
/// is a seat to give back, or none any more: null, when CML was just deregistered.
async fn note(ctx: &Context, worker: Option<WorkerId>, status: Option<&LicensingStatus>) -> Result<(), AppError> {
    let Some(worker) = worker else { return Ok(()) };
    ctx.store
        .add_reading(worker, ctx.now(), ctx.settings.sample_retention, |before: &CmlReadings| {
            let mut next = before.clone();
            let deregistered =
                || LicenseReading { registration: Some(NOT_REGISTERED.into()), ..LicenseReading::default() };
            next.cml.license = Some(status.map_or_else(deregistered, |status| LicenseReading {
                registration: status.registration.status.clone(),
                authorization: status.authorization.status.clone(),
                product: status.product.active.clone(),
                expires_at: status.registration.expires_at,
            }));
            next.license_at = Some(ctx.now());
            next
        })
        .await?;
    Ok(())
}
