//! Start a stopped instance. It is bound to its zone: where that has none of its type, it gets another type first.

use domain::Actor;
use domain::capacity::start_offers;
use domain::worker::{Command, Worker, command::command};

use super::capacity::{Ask, ask, is_scarce};
use super::change::change;
use super::launch::Asked;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error};

/// The zone where EC2 has not told one.
const ANY_ZONE: &str = "any";

/// Asks EC2 for the start, with the type that may be asked for now.
///
/// # Errors
/// The table failed.
pub async fn start(ctx: &Context, ec2: &dyn Ec2, worker: &Worker, actor: &Actor) -> Result<Asked, AppError> {
    let Some(facts) = &worker.instance else { return Ok(Asked::LookAgain(Box::new(worker.clone()))) };
    let zone = facts.availability_zone.as_deref().unwrap_or(ANY_ZONE);
    let by = actor.to_string();
    let call = ("StartInstances", "Started", by.as_str());
    let ticket = match ask(ctx, worker, &start_offers(worker), Some(zone), call).await? {
        Ask::For(ticket) => ticket,
        Ask::NotBefore(until, what) => return Ok(Asked::NotBefore(until, what)),
        Ask::NotOffered(code, message) => {
            return Ok(Asked::Refused(Ec2Error { operation: "StartInstances", code, message }));
        }
    };
    if let Some(reason) = &ticket.fallback {
        let fall_back = Command::FallBack { offer: ticket.offer.clone(), reason: reason.clone() };
        match command(&ctx.store.worker(worker.id).await?, &fall_back) {
            Err(refusal) => return Ok(Asked::Unwanted(refusal)),
            Ok(_) => change(ctx, worker.id, actor, |worker| Ok(command(worker, &fall_back)?)).await?,
        };
        // Done already by an attempt that got no further, it does no harm.
        if let Err(error) = ec2.modify_type(&worker.place, &facts.id, &ticket.offer.instance_type).await {
            return Ok(Asked::Refused(error));
        }
    }
    let started = ec2.start(&worker.place, &facts.id).await;
    ticket.settle(ctx, started.as_ref().err()).await?;
    match started {
        Err(error) if !is_scarce(&error) => Ok(Asked::Refused(error)),
        // Without capacity there may be another type to ask for.
        _ => Ok(Asked::LookAgain(Box::new(ctx.store.worker(worker.id).await?))),
    }
}
