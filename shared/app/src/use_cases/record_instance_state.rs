//! EC2 says that an instance changed: look for ourselves, record it, and hurry what waits for it.

use domain::worker::observe::{Seen, observe_instance};
use domain::{Actor, InstanceId, Place};

use super::change::observe;
use super::command::send;
use super::hurry::hurry;
use super::instance::look;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Ec2;

/// Records what EC2 shows of the instance now, whatever the notification said: it may be late,
/// doubled or out of order. An instance that no worker stands for is none of our business.
///
/// # Errors
/// EC2 or the table failed; the event is delivered again, and the sweep would find it too.
pub async fn record_instance_state(
    ctx: &Context,
    ec2: &dyn Ec2,
    place: &Place,
    instance: &InstanceId,
) -> Result<(), AppError> {
    let Some(id) = ctx.store.claimant(place, instance).await? else { return Ok(()) };
    let worker = ctx.store.worker(id).await?;
    if worker.instance.as_ref().is_none_or(|facts| facts.id != *instance) {
        return Ok(());
    }
    let seen = look(ec2, &worker).await?;
    let shown = seen.as_ref().map_or(Seen::Absent, Seen::Present);
    let after = observe(ctx, &worker, &Actor::Aws, |worker| observe_instance(worker, shown, ctx.now())).await?;
    if after.version != worker.version && !after.is_over() {
        hurry(ctx, id).await?;
    }
    let operations = ctx.store.list_operations(Some(id), 10, None).await?.items;
    for operation in operations.iter().filter(|operation| !operation.status.is_final()) {
        send(ctx, operation).await;
    }
    Ok(())
}
