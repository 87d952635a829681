//! Read CML controllers: first what needs no credentials, then the rest. One slow controller delays
//! no other, and one broken part leaves the others.

use domain::activity::Activity;
use domain::metrics::{CmlReading, ServiceStatus};
use domain::worker::observe::service_event;
use domain::worker::{Worker, WorkerEvent, WorkerStatus};
use domain::{Actor, Timestamp};
use futures::StreamExt;

use super::change::{change, observe};
use super::controller::may_be_asked;
use super::hurry::make_due;
use crate::context::Context;
use crate::error::AppError;
use crate::message::CollectCml;
use crate::ports::{Cml, CmlError, CmlErrorKind, CmlTarget, ControllerReading, Secrets, SystemInformation};
use crate::settings::FLEET_CREDENTIALS_REF;
use crate::store::CmlReadings;

/// Controllers read at the same time by one invocation: all of a message, so that one that hangs
/// costs the others nothing.
const CONCURRENT: usize = 25;

/// Reads the controllers of the workers in a message.
///
/// # Errors
/// The table or the secrets failed for some worker; the message is delivered again.
pub async fn collect_cml(
    ctx: &Context,
    cml: &dyn Cml,
    secrets: &dyn Secrets,
    message: &CollectCml,
) -> Result<(), AppError> {
    let workers = ctx.store.workers(&message.worker_ids).await?;
    let running = workers.into_values().filter(|worker| worker.status == WorkerStatus::Running);
    let reads = running.map(|worker| async move { collect_one(ctx, cml, secrets, worker).await });
    let results: Vec<Result<(), AppError>> = futures::stream::iter(reads).buffer_unordered(CONCURRENT).collect().await;
    // All were tried before any failure is told. A busy worker is being read by another delivery.
    results.into_iter().filter(|result| !matches!(result, Err(AppError::Busy(_)))).collect()
}

async fn collect_one(ctx: &Context, cml: &dyn Cml, secrets: &dyn Secrets, worker: Worker) -> Result<(), AppError> {
    let now = ctx.now();
    let addresses = ctx.settings.cml_address;
    let Some(endpoint) = worker.endpoint(addresses) else {
        return note(ctx, &worker, now, ServiceStatus::Unavailable, addresses.missing().into()).await;
    };
    if let Err(why) = may_be_asked(ctx, &worker, &endpoint, now).await? {
        return note(ctx, &worker, now, ServiceStatus::Unavailable, why).await;
    }
    let mut target = CmlTarget { worker: worker.id, endpoint, certificate_sha256: worker.certificate_sha256.clone() };
    let contact = match cml.system_information(&target).await {
        Ok(contact) => contact,
        Err(error) => {
            let service = service_of(&error);
            return note(ctx, &worker, now, service, error.to_string()).await;
        }
    };
    let worker = pin(ctx, worker, &contact.certificate_sha256).await?;
    if worker.endpoint(addresses).as_deref() != Some(&target.endpoint) {
        // It was stopped or moved while it was asked: whoever answered may not be it.
        return Ok(());
    }
    target.certificate_sha256.clone_from(&worker.certificate_sha256);
    let information = contact.information;
    let before = ctx.store.latest::<CmlReadings>(worker.id).await?.unwrap_or_default();
    // What another machine told of itself is no mark in the history of this one.
    let same = before.instance_id == instance_id(&worker);
    let read_up_to = before.activity.high_water.filter(|_| same);
    let reading = read(cml, secrets, &worker, &target, &information, read_up_to).await?;
    let service = service_status(&information, &reading);
    store_reading(ctx, &worker, &information, reading, now).await?;
    record_service(ctx, &worker, service).await
}

/// Records the certificate at the first contact after a launch of ours.
async fn pin(ctx: &Context, worker: Worker, sha256: &str) -> Result<Worker, AppError> {
    if worker.certificate_sha256.is_some() {
        return Ok(worker);
    }
    let (before, addresses) = (&worker, ctx.settings.cml_address);
    change(ctx, worker.id, &Actor::metrics(), |worker| {
        // Of this very run: after another start somebody else may have the address that answered.
        let same = worker.endpoint(addresses) == before.endpoint(addresses)
            && worker.running_since == before.running_since
            && worker.certificate_sha256.is_none();
        let pinned = WorkerEvent::CertificatePinned { sha256: sha256.to_owned() };
        Ok(if same { vec![pinned] } else { vec![] })
    })
    .await
}

/// Everything that needs credentials. A controller that cannot be signed in to is a reading with errors.
async fn read(
    cml: &dyn Cml,
    secrets: &dyn Secrets,
    worker: &Worker,
    target: &CmlTarget,
    information: &SystemInformation,
    telemetry_after: Option<Timestamp>,
) -> Result<Result<ControllerReading, CmlError>, AppError> {
    let denied = |message: String| CmlError { operation: "sign-in", status: None, kind: CmlErrorKind::Denied, message };
    if !information.ready {
        let message = "CML is not ready yet.".into();
        return Ok(Err(CmlError { operation: "read", status: None, kind: CmlErrorKind::NotReady, message }));
    }
    let reference = worker.cml_credentials_ref.as_deref().unwrap_or(FLEET_CREDENTIALS_REF);
    let Some(credentials) = secrets.cml_credentials(reference).await.map_err(AppError::Unavailable)? else {
        return Ok(Err(denied(format!("There are no CML credentials {reference:?}; set them first."))));
    };
    Ok(cml.read(target, &credentials, information, telemetry_after).await)
}

fn instance_id(worker: &Worker) -> Option<String> {
    worker.instance.as_ref().map(|facts| facts.id.to_string())
}

fn service_of(error: &CmlError) -> ServiceStatus {
    match error.kind {
        CmlErrorKind::Unreachable => ServiceStatus::Unavailable,
        CmlErrorKind::NotReady => ServiceStatus::Starting,
        CmlErrorKind::CertificateChanged | CmlErrorKind::Denied | CmlErrorKind::Refused | CmlErrorKind::Malformed => {
            ServiceStatus::Error
        }
    }
}

fn service_status(information: &SystemInformation, reading: &Result<ControllerReading, CmlError>) -> ServiceStatus {
    if !information.ready {
        return ServiceStatus::Starting;
    }
    match reading {
        Ok(reading) if reading.cml.healthy == Some(false) => ServiceStatus::Error,
        // Ready is what people need; that we may not read its statistics does not change it.
        _ => ServiceStatus::Available,
    }
}

async fn store_reading(
    ctx: &Context,
    worker: &Worker,
    information: &SystemInformation,
    reading: Result<ControllerReading, CmlError>,
    now: Timestamp,
) -> Result<(), AppError> {
    let instance_id = instance_id(worker);
    let uptime_secs = worker.running_since.map(|since| now.duration_since(since).as_secs().max(0));
    ctx.store
        .add_reading(worker.id, now, ctx.settings.sample_retention, |before: &CmlReadings| {
            let mut next = CmlReadings { tried_at: Some(now), errors: vec![], ..before.clone() };
            if before.instance_id != instance_id {
                next.instance_id.clone_from(&instance_id);
                (next.cml.labs, next.cml.license, next.license_at) = (None, None, None);
                // Nobody has used this machine yet.
                next.activity = Activity::default();
            }
            match &reading {
                Ok(reading) => {
                    // Of a part that failed the former answer stands: null is for what nobody knows.
                    if reading.cml.license.is_some() {
                        next.license_at = Some(now);
                    }
                    let license = reading.cml.license.clone().or_else(|| next.cml.license.clone());
                    let labs = reading.cml.labs.or(next.cml.labs);
                    next.cml = CmlReading { uptime_secs, labs, license, ..reading.cml.clone() };
                    next.errors = reading.errors.iter().map(ToString::to_string).collect();
                    // Only a reading that tells both who did something and what runs says anything about idleness.
                    if let (Some(events), Some(nodes)) = (&reading.telemetry, reading.cml.running_nodes) {
                        next.read_at = Some(now);
                        next.activity = next.activity.after(events, reading.our_user_id.as_deref(), Some(nodes), now);
                        if nodes == 0 {
                            // Nodes of the run before ended with it.
                            let of_this_run =
                                before.read_at.filter(|at| worker.running_since.is_none_or(|since| *at >= since));
                            next.activity = next.activity.nodes_ended(of_this_run, now);
                        }
                    }
                }
                Err(error) => {
                    next.cml.version = Some(information.version.clone());
                    next.cml.ready = information.ready;
                    next.cml.uptime_secs = uptime_secs;
                    next.errors = vec![error.to_string()];
                }
            }
            next
        })
        .await?;
    Ok(())
}

/// Notes that the controller could not be read, and why.
async fn note(
    ctx: &Context,
    worker: &Worker,
    now: Timestamp,
    service: ServiceStatus,
    why: String,
) -> Result<(), AppError> {
    ctx.store
        .add_reading(worker.id, now, ctx.settings.sample_retention, |before: &CmlReadings| {
            let mut next = CmlReadings { tried_at: Some(now), errors: vec![why.clone()], ..before.clone() };
            next.cml.ready = false;
            next
        })
        .await?;
    record_service(ctx, worker, service).await
}

async fn record_service(ctx: &Context, worker: &Worker, service: ServiceStatus) -> Result<(), AppError> {
    let after = observe(ctx, worker, &Actor::metrics(), |worker| {
        service_event(worker, worker.status, service).into_iter().collect()
    })
    .await?;
    if after.service == ServiceStatus::Available && worker.service != after.service {
        // It has just become ready: it and its labs are judged at the next tick.
        ctx.store.save_labs_due(worker.id, ctx.now()).await?;
        make_due(ctx, worker.id).await?;
    }
    Ok(())
}
