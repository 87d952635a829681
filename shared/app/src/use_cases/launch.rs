//! Launch a worker's instance: intent first, then the call with a deterministic token, then what was seen.

use domain::capacity::launch_offers;
use domain::worker::observe::{MISSING_AGAIN_AFTER, Seen, observe_instance};
use domain::worker::{Command, ImageChoice, LaunchSpec, Refusal, Worker, command::command};
use domain::{Actor, SignedDuration, Timestamp, WorkerId};

use super::capacity::{Ask, Ticket, ask, is_scarce};
use super::change::change;
use super::instance::look;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error, LaunchRequest};

/// What came of asking EC2 for a machine.
#[derive(Debug)]
pub enum Asked {
    /// It is done, or something else is to be done now: look again.
    LookAgain(Box<Worker>),
    /// It was not asked: not before that time, and what is waited for.
    NotBefore(Timestamp, String),
    /// EC2 said no, or did not say.
    Refused(Ec2Error),
    /// It is not wanted any more.
    Unwanted(Refusal),
}

/// Longer than any function lives that has it, machine time.
const LEASE: SignedDuration = SignedDuration::from_secs(120);
/// How soon to look whether the one who launches it has done so.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(20);

/// Launches, or finds what the same token launched before. One at a time for a worker: a token may be given up for
/// the next one only while nobody else calls with it.
///
/// # Errors
/// The table failed; nothing was launched, or the next attempt with the same token finds it.
pub async fn launch(ctx: &Context, ec2: &dyn Ec2, id: WorkerId, actor: &Actor) -> Result<Asked, AppError> {
    let now = ctx.machine_clock.now();
    let Some(lease) = ctx.store.take_lease("launch", &id.to_string(), ctx.random.next(), now, LEASE).await? else {
        return Ok(Asked::NotBefore(ctx.now() + LOOK_AGAIN_AFTER, "its launch, which is being asked of EC2".into()));
    };
    let asked = launch_alone(ctx, ec2, id, actor).await;
    if let Err(error) = ctx.store.give_back(lease).await {
        tracing::warn!(worker_id = %id, %error, "the lease on a launch is not given back; it ends by itself");
    }
    asked
}

async fn launch_alone(ctx: &Context, ec2: &dyn Ec2, id: WorkerId, actor: &Actor) -> Result<Asked, AppError> {
    let worker = ctx.store.worker(id).await?;
    if worker.has_instance() {
        // Another delivery launched it in the meantime.
        return Ok(Asked::LookAgain(Box::new(worker)));
    }
    // Of an open launch nobody knows what came of it.
    let open = worker.has_open_launch();
    let ami_id = match worker.launch_ami_id.clone().filter(|_| open) {
        Some(id) => id,
        None => match resolve_image(ctx, ec2, &worker).await {
            Ok(id) => id,
            Err(error) => return Ok(Asked::Refused(error)),
        },
    };
    let by = actor.to_string();
    let ticket = match ask(ctx, &worker, &launch_offers(&worker), None, ("RunInstances", "Launched", &by)).await? {
        Ask::For(ticket) => ticket,
        Ask::NotBefore(until, what) => return Ok(Asked::NotBefore(until, what)),
        Ask::NotOffered(code, message) => {
            return Ok(Asked::Refused(Ec2Error { operation: "RunInstances", code, message }));
        }
    };
    let (offer, fallback) = (ticket.offer.clone(), ticket.fallback.clone());
    let intent = Command::IntendLaunch { ami_id, offer, fallback };
    if let Err(refusal) = command(&ctx.store.worker(id).await?, &intent) {
        return Ok(Asked::Unwanted(refusal));
    }
    let worker = change(ctx, id, actor, |worker| Ok(command(worker, &intent)?)).await?;
    if !worker.has_open_launch() {
        return Ok(Asked::LookAgain(Box::new(worker)));
    }
    call(ctx, ec2, worker, actor, &ticket, open).await
}

/// The call itself, and what EC2 says of it. `repeated`: an earlier call with the token may have launched.
async fn call(
    ctx: &Context,
    ec2: &dyn Ec2,
    worker: Worker,
    actor: &Actor,
    ticket: &Ticket,
    repeated: bool,
) -> Result<Asked, AppError> {
    let request = LaunchRequest {
        client_token: worker.client_token(),
        ami_id: worker.launch_ami_id.clone().unwrap_or_default(),
        spec: LaunchSpec {
            instance_type: ticket.offer.instance_type.clone(),
            subnet_id: ticket.offer.subnet_id.clone(),
            user_data: ctx.store.user_data(worker.id).await?,
            ..worker.spec.clone()
        },
        tags: worker.ec2_tags(),
    };
    let launched = ec2.run_instance(&worker.place, &request).await;
    ticket.settle(ctx, launched.as_ref().err()).await?;
    let seen = match launched {
        Ok(seen) => seen,
        // The token is bound to an instance that a first, unanswered call launched with other tags;
        // it is found by its tag at the next look.
        Err(error) if error.code == "IdempotentParameterMismatch" => {
            return Ok(Asked::Refused(Ec2Error { code: "IncorrectState".into(), ..error }));
        }
        Err(error) if is_scarce(&error) => return refused(ctx, ec2, worker, actor, &error, repeated).await,
        Err(error) => return Ok(Asked::Refused(error)),
    };
    let attached = |worker: &Worker| observe_instance(worker, Seen::Present(&seen), ctx.now());
    let worker = change(ctx, worker.id, actor, |worker| Ok(attached(worker))).await?;
    if worker.status.is_final() {
        // It ended while EC2 was launching: nobody would ever look at this instance again.
        tracing::warn!(worker_id = %worker.id, instance_id = %seen.id, "launched for a worker that has ended; terminated");
        if let Err(error) = ec2.terminate(&worker.place, &seen.id).await {
            return Ok(Asked::Refused(error));
        }
    }
    // Those known are of a machine before. What cannot be dropped now goes when the new one does not list it.
    if let Err(error) = ctx.store.drop_labs(worker.id).await {
        tracing::warn!(worker_id = %worker.id, %error, "labs of a machine before are shown for a while");
    }
    Ok(Asked::LookAgain(Box::new(worker)))
}

/// EC2 had no capacity: the next launch is another one, with a token of its own. Not at once where an earlier call
/// with this token was never answered: only two looks a while apart that show nothing tell that it did nothing.
async fn refused(
    ctx: &Context,
    ec2: &dyn Ec2,
    worker: Worker,
    actor: &Actor,
    error: &Ec2Error,
    repeated: bool,
) -> Result<Asked, AppError> {
    let number = worker.launch_number;
    let given_up = Command::LaunchRefused { number, detail: format!("{}: {}", error.code, error.message) };
    let news = if repeated {
        match look(ec2, &worker).await {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(Asked::LookAgain(Box::new(worker))),
            Err(error) => return Ok(Asked::Refused(error)),
        }
        match worker.missing_since {
            Some(since) if ctx.now().duration_since(since) >= MISSING_AGAIN_AFTER => given_up,
            _ => Command::LaunchUnseen,
        }
    } else {
        given_up
    };
    let worker = change(ctx, worker.id, actor, |worker| Ok(command(worker, &news)?)).await?;
    Ok(Asked::LookAgain(Box::new(worker)))
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
