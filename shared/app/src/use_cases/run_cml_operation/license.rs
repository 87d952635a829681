//! Register, renew and give back a licence.

use domain::metrics::LicenseReading;
use domain::operation::cml::{RegisterLicenseTask, RegisterStep};
use domain::operation::{Operation, OperationResult, Task};
use domain::{SignedDuration, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, Deregistration, FeatureCount, LicensingStatus, LicensingTransportChange};
use crate::store::CmlReadings;
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::{Progress, keep};

/// How soon to look again at Smart Licensing, which takes 5 to 90 s. Source: cloud-cml, `license.py`.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// Steps in one run: more than there are, so that only waiting ends it.
const STEPS_PER_RUN: usize = 8;
/// CML's words for a registration that stands, and for one that is paid for.
const COMPLETED: &str = "COMPLETED";
const IN_COMPLIANCE: &str = "IN_COMPLIANCE";

/// Whether a run goes on with the next step.
enum Next {
    Step(RegisterStep),
    Stop(Box<Progress>),
}

fn stop(progress: Progress) -> Next {
    Next::Stop(Box::new(progress))
}

pub(super) async fn register(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    mut task: RegisterLicenseTask,
) -> Result<Progress, AppError> {
    if let Some(held) = brake(ctx) {
        return Ok(held);
    }
    for _ in 0..STEPS_PER_RUN {
        let next = match task.step {
            RegisterStep::Prepare => prepare(ctx, ports, way, &task).await,
            RegisterStep::Register => send_token(ctx, ports, way, operation, &mut task).await?,
            RegisterStep::AwaitRegistration => await_registration(ctx, ports, way, &mut task).await,
            RegisterStep::SetFeatures => set_features(ctx, ports, way, &task).await,
            RegisterStep::AwaitCompliance => await_compliance(ctx, ports, way, operation).await?,
        };
        match next {
            Next::Step(step) => task.step = step,
            Next::Stop(progress) => {
                operation.task = Task::RegisterLicense(task);
                return Ok(*progress);
            }
        }
    }
    operation.task = Task::RegisterLicense(task);
    Ok(look_again(ctx, "its next step"))
}

/// The way to Smart Software Manager, and the kind of CML: set as often as it takes.
async fn prepare(ctx: &Context, ports: CmlPorts<'_>, way: &Way, task: &RegisterLicenseTask) -> Next {
    let transport = LicensingTransportChange { ssms: task.ssms_url.as_deref(), ..LicensingTransportChange::default() };
    if let Err(error) = ports.controllers.set_licensing_transport(way.access(), transport).await {
        return stop(failed_call(ctx, &error));
    }
    match ports.controllers.set_product_license(way.access(), &task.product).await {
        Ok(()) => Next::Step(RegisterStep::Register),
        Err(error) => stop(failed_call(ctx, &error)),
    }
}

/// Sends the token, unless a registration stands or is under way already. That it is sent is written down
/// before: whoever comes next asks CML what became of it.
async fn send_token(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    task: &mut RegisterLicenseTask,
) -> Result<Next, AppError> {
    let status = match ports.controllers.licensing(way.access()).await {
        Ok(status) => status,
        Err(error) => return Ok(stop(failed_call(ctx, &error))),
    };
    if registration(&status) == COMPLETED && !task.reregister {
        operation.warn("It was registered already; the token was not used. Ask with reregister to use it.");
        return Ok(Next::Step(RegisterStep::SetFeatures));
    }
    let Some(token) = ports.secrets.token(&task.token_ref).await.map_err(AppError::Unavailable)? else {
        let message = "The token was not kept, or was deleted. Ask again with the token.";
        return Ok(stop(Progress::failed("token_missing", message)));
    };
    task.step = RegisterStep::AwaitRegistration;
    task.before = Some(shown(&status));
    operation.task = Task::RegisterLicense(task.clone());
    if !keep(ctx, operation).await? {
        return Ok(stop(Progress::Overtaken));
    }
    match ports.controllers.register(way.access(), &token.0, task.reregister).await {
        Ok(()) => {
            task.accepted = true;
            Ok(stop(look_again(ctx, "Smart Licensing to answer")))
        }
        // Another one is under way, or this one is, by a request whose answer was lost.
        Err(error) if error.outcome_unknown() || error.status == Some(409) => {
            Ok(stop(look_again(ctx, format!("CML to tell what became of the registration ({error})"))))
        }
        Err(error) => {
            task.step = RegisterStep::Register;
            // CML may repeat what it finds invalid.
            let message = error.message.replace(&token.0, "[token]");
            Ok(stop(failed_call(ctx, &CmlError { message, ..error })))
        }
    }
}

/// What became of the token. Where CML shows what it showed before, it never came: it is sent again.
async fn await_registration(ctx: &Context, ports: CmlPorts<'_>, way: &Way, task: &mut RegisterLicenseTask) -> Next {
    let status = match ports.controllers.licensing(way.access()).await {
        Ok(status) => status,
        Err(error) => return stop(failed_call(ctx, &error)),
    };
    let word = registration(&status);
    if task.before.as_deref() == Some(shown(&status).as_str()) {
        if !task.accepted {
            // At the next look, not at once: what CML shows may be a moment late.
            task.step = RegisterStep::Register;
        }
        return stop(look_again(ctx, format!("Smart Licensing to take the token on (it shows {word})")));
    }
    match word {
        COMPLETED => Next::Step(RegisterStep::SetFeatures),
        "FAILED" => {
            let attempt = &status.registration.registered;
            let why = attempt.failure.clone().unwrap_or_else(|| "Smart Licensing gives no reason.".into());
            stop(Progress::Failed("registration_failed".into(), why))
        }
        other => stop(look_again(ctx, format!("the registration to be {COMPLETED} (it is {other})"))),
    }
}

/// Seats, by a part of their feature's id: what is before and after it differs from product to product.
async fn set_features(ctx: &Context, ports: CmlPorts<'_>, way: &Way, task: &RegisterLicenseTask) -> Next {
    if task.features.is_empty() {
        return Next::Step(RegisterStep::AwaitCompliance);
    }
    let status = match ports.controllers.licensing(way.access()).await {
        Ok(status) => status,
        Err(error) => return stop(failed_call(ctx, &error)),
    };
    let mut counts = Vec::new();
    for (part, count) in &task.features {
        let Some(feature) = status.features.iter().find(|feature| feature.id.contains(part.as_str())) else {
            let message = format!("It is registered, and {} has no feature {part} to set seats of.", task.product);
            return stop(Progress::failed("no_such_feature", message));
        };
        counts.push(FeatureCount { id: feature.id.clone(), count: *count });
    }
    match ports.controllers.set_features(way.access(), &counts).await {
        Ok(()) => Next::Step(RegisterStep::AwaitCompliance),
        Err(error) => stop(failed_call(ctx, &error)),
    }
}

async fn await_compliance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &Operation,
) -> Result<Next, AppError> {
    let status = match ports.controllers.licensing(way.access()).await {
        Ok(status) => status,
        Err(error) => return Ok(stop(failed_call(ctx, &error))),
    };
    let word = status.authorization.status.as_deref().unwrap_or("unknown");
    if word != IN_COMPLIANCE {
        let what = format!("the authorization to be {IN_COMPLIANCE} (it is {word})");
        return Ok(stop(look_again(ctx, what)));
    }
    note(ctx, operation.target, Some(&status)).await?;
    Ok(stop(Progress::Done(OperationResult { worker_id: operation.target, ..OperationResult::default() })))
}

pub(super) async fn renew(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
) -> Result<Progress, AppError> {
    if let Some(held) = brake(ctx) {
        return Ok(held);
    }
    let renewed = async {
        ports.controllers.renew_registration(way.access()).await?;
        ports.controllers.renew_authorization(way.access()).await?;
        ports.controllers.licensing(way.access()).await
    };
    match renewed.await {
        Ok(status) => {
            note(ctx, operation.target, Some(&status)).await?;
            Ok(Progress::Done(OperationResult { worker_id: operation.target, ..OperationResult::default() }))
        }
        Err(error) => Ok(failed_call(ctx, &error)),
    }
}

pub(super) async fn deregister(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
) -> Result<Progress, AppError> {
    if let Some(held) = brake(ctx) {
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
    let held = || Progress::failed("safe_mode", "SAFE_MODE is on: nothing was changed of the licence.");
    ctx.settings.safe_mode.then(held)
}

fn look_again(ctx: &Context, what: impl Into<String>) -> Progress {
    Progress::Waiting(what.into(), ctx.now() + LOOK_AGAIN_AFTER)
}

fn registration(status: &LicensingStatus) -> &str {
    status.registration.status.as_deref().unwrap_or("unknown")
}

/// All that CML shows of registrations, so that a new one can be told from the one before.
fn shown(status: &LicensingStatus) -> String {
    let attempt = &status.registration.registered;
    let at = [attempt.attempted_at, attempt.succeeded_at].map(|at| at.map(|at| at.to_string()).unwrap_or_default());
    format!("{} {} {}", registration(status), at[0], at[1])
}

/// Records what is known of the licence now, so that nobody has to wait for the next reading to know that there
/// is a seat to give back; null when there is none.
async fn note(ctx: &Context, worker: Option<WorkerId>, status: Option<&LicensingStatus>) -> Result<(), AppError> {
    let Some(worker) = worker else { return Ok(()) };
    ctx.store
        .add_reading(worker, ctx.now(), ctx.settings.sample_retention, |before: &CmlReadings| {
            let mut next = before.clone();
            next.cml.license = status.map(|status| LicenseReading {
                registration: status.registration.status.clone(),
                authorization: status.authorization.status.clone(),
                product: status.product.active.clone(),
                expires_at: status.registration.expires_at,
            });
            next
        })
        .await?;
    Ok(())
}
