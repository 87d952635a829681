//! Launch a worker's instance: intent first, then the call with a deterministic token, then what was seen.

use domain::Actor;
use domain::worker::observe::{Seen, observe_instance};
use domain::worker::{Command, ImageChoice, LaunchSpec, Refusal, Worker, WorkerEvent, command::command};

use super::change::change;
use super::instance::ec2_tags;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error, LaunchRequest};

/// Why a launch did not happen.
#[derive(Debug)]
pub enum LaunchRefused {
    /// EC2 said no, or did not say.
    Ec2(Ec2Error),
    /// It is not wanted any more.
    Unwanted(Refusal),
}

/// Launches, or finds what the same token launched before. The outer error is ours.
///
/// # Errors
/// The table failed; nothing was launched, or the next attempt with the same token finds it.
pub async fn launch(
    ctx: &Context,
    ec2: &dyn Ec2,
    worker: &Worker,
    actor: &Actor,
) -> Result<Result<Worker, LaunchRefused>, AppError> {
    let ami_id = match worker.launch_ami_id.clone().filter(|_| worker.has_open_launch()) {
        Some(id) => id,
        None => match resolve_image(ctx, ec2, worker).await {
            Ok(id) => id,
            Err(error) => return Ok(Err(LaunchRefused::Ec2(error))),
        },
    };
    let intent = Command::IntendLaunch { ami_id };
    if let Err(refusal) = command(&ctx.store.worker(worker.id).await?, &intent) {
        return Ok(Err(LaunchRefused::Unwanted(refusal)));
    }
    let worker = change(ctx, worker.id, actor, |worker| Ok(command(worker, &intent)?)).await?;
    if !worker.has_open_launch() {
        // Another delivery launched it in the meantime.
        return Ok(Ok(worker));
    }
    let request = LaunchRequest {
        client_token: worker.client_token(),
        ami_id: worker.launch_ami_id.clone().unwrap_or_default(),
        spec: LaunchSpec { user_data: ctx.store.user_data(worker.id).await?, ..worker.spec.clone() },
        tags: ec2_tags(&worker),
    };
    let seen = match ec2.run_instance(&worker.place, &request).await {
        Ok(seen) => seen,
        // The token is bound to an instance that a first, unanswered call launched with other tags;
        // it is found by its tag at the next look.
        Err(error) if error.code == "IdempotentParameterMismatch" => {
            return Ok(Err(LaunchRefused::Ec2(Ec2Error { code: "IncorrectState".into(), ..error })));
        }
        Err(error) => return Ok(Err(LaunchRefused::Ec2(error))),
    };
    let attached = |worker: &Worker| -> Vec<WorkerEvent> { observe_instance(worker, Seen::Present(&seen), ctx.now()) };
    let worker = change(ctx, worker.id, actor, |worker| Ok(attached(worker))).await?;
    if worker.status.is_final() {
        // It ended while EC2 was launching: nobody would ever look at this instance again.
        tracing::warn!(worker_id = %worker.id, instance_id = %seen.id, "launched for a worker that has ended; terminated");
        if let Err(error) = ec2.terminate(&worker.place, &seen.id).await {
            return Ok(Err(LaunchRefused::Ec2(error)));
        }
    }
    Ok(Ok(worker))
}

/// The image to launch: the newest of the name, published by an owner we trust. Anyone can publish
/// an image of any name, so an owner is always asked for.
async fn resolve_image(ctx: &Context, ec2: &dyn Ec2, worker: &Worker) -> Result<String, Ec2Error> {
    let pattern = match &worker.spec.image {
        ImageChoice::Id(id) => return Ok(id.clone()),
        ImageChoice::Name(name) => name.as_str(),
        ImageChoice::RegionDefault => ctx.settings.ami_name(&worker.place.region),
    };
    let images = ec2.images(&worker.place, pattern, &ctx.settings.trusted_image_owners).await?;
    let newest = images.into_iter().max_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
    newest.map(|image| image.id).ok_or_else(|| Ec2Error {
        operation: "DescribeImages",
        code: "InvalidAMIName.NotFound".into(),
        message: format!(
            "No image named {pattern:?} by a trusted owner ({}) is available in {}.",
            ctx.settings.trusted_image_owners.join(", "),
            worker.place
        ),
    })
}
