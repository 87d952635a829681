//! Judge workers that are due: look at EC2, judge once, start at most one operation, say why, and
//! set when to look again.

use std::collections::BTreeMap;

use domain::instance::InstanceObservation;
use domain::power::{Evidence, PowerAction, PowerDecision, decide};
use domain::worker::observe::{Seen, observe_instance};
use domain::worker::{DesiredState, Worker};
use domain::{Actor, InstanceId, Place, WorkerId};

use super::change::observe;
use super::command::Asked;
use super::dispatch_power::power_message;
use super::worker_commands::stop_worker;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Ec2Error, InstanceFilter, Queue};
use crate::store::{CmlReadings, PowerDue};

/// What EC2 answered, by place; a place that failed fails its own workers only.
type SeenByPlace = BTreeMap<Place, Result<BTreeMap<InstanceId, InstanceObservation>, Ec2Error>>;

/// Judges the workers of a batch; for each what came of it, in the order given.
///
/// # Errors
/// The table failed before any was judged.
pub async fn control_power(
    ctx: &Context,
    ec2: &dyn Ec2,
    ids: &[WorkerId],
) -> Result<Vec<Result<(), AppError>>, AppError> {
    let now = ctx.now();
    let mut workers = ctx.store.workers(ids).await?;
    let due: BTreeMap<WorkerId, PowerDue> =
        ctx.store.powers(ids).await?.into_iter().map(|due| (due.worker_id, due)).collect();
    // A worker without a due item, or due later, was judged by an earlier message.
    workers.retain(|id, _| due.get(id).is_some_and(|due| due.due_at <= now));
    let seen = look_by_place(ec2, workers.values()).await;
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        results.push(match (workers.remove(id), due.get(id)) {
            (Some(worker), _) => control_one(ctx, worker, &seen).await,
            // Due, but there is no such worker: an orphan of a write that never happened.
            (None, Some(due)) if due.due_at <= now => ctx.store.drop_power(*id).await,
            _ => Ok(()),
        });
    }
    Ok(results)
}

/// Makes a worker's power due now and sends it to be judged.
///
/// # Errors
/// The table failed. A send that fails is only noted: the tick sends it.
pub(super) async fn hurry(ctx: &Context, id: WorkerId) -> Result<(), AppError> {
    let decided = ctx.store.power(id).await?.and_then(|due| due.decided);
    ctx.store.save_power(&PowerDue { worker_id: id, due_at: ctx.now(), decided }).await?;
    let message = power_message(id, ctx.machine_clock.now().as_millisecond());
    if let Err(error) = ctx.queues.send(Queue::Power, vec![message]).await {
        tracing::warn!(worker_id = %id, %error, "power not sent; the next tick sends it");
    }
    Ok(())
}

/// One `DescribeInstances` a place, however many workers.
async fn look_by_place<'a>(ec2: &dyn Ec2, workers: impl Iterator<Item = &'a Worker>) -> SeenByPlace {
    let mut ids: BTreeMap<Place, Vec<InstanceId>> = BTreeMap::new();
    for worker in workers {
        if let Some(facts) = &worker.instance {
            ids.entry(worker.place.clone()).or_default().push(facts.id.clone());
        }
    }
    let mut seen = SeenByPlace::new();
    for (place, ids) in ids {
        let found = ec2.describe(&place, &InstanceFilter::Ids(ids)).await;
        seen.insert(place, found.map(|all| all.into_iter().map(|one| (one.id.clone(), one)).collect()));
    }
    seen
}

async fn control_one(ctx: &Context, worker: Worker, seen: &SeenByPlace) -> Result<(), AppError> {
    let worker = record_state(ctx, worker, seen).await?;
    if worker.status.is_final() {
        return ctx.store.drop_power(worker.id).await;
    }
    let readings: CmlReadings = ctx.store.latest(worker.id).await?.unwrap_or_default();
    let evidence =
        Evidence { read_at: readings.read_at, running_nodes: readings.cml.running_nodes, activity: readings.activity };
    let now = ctx.now();
    let mut decision = decide(&worker, &evidence, &ctx.settings.power, now);
    if decision.action == PowerAction::Stop {
        act(ctx, &worker, &mut decision).await?;
    }
    tracing::info!(
        worker_id = %worker.id, action = decision.action.name(), reason = decision.reason,
        running_nodes = evidence.running_nodes, "power judged"
    );
    let due_at = decision.next_check_at;
    ctx.store.save_power(&PowerDue { worker_id: worker.id, due_at, decided: Some((now, decision)) }).await
}

/// Records what EC2 shows; the sweep that heals what events missed.
async fn record_state(ctx: &Context, worker: Worker, seen: &SeenByPlace) -> Result<Worker, AppError> {
    let Some(id) = worker.instance.as_ref().map(|facts| &facts.id) else { return Ok(worker) };
    let found = match seen.get(&worker.place) {
        Some(Ok(found)) => found,
        Some(Err(error)) => return Err(error.clone().into()),
        None => return Ok(worker),
    };
    let shown = found.get(id).map_or(Seen::Absent, Seen::Present);
    observe(ctx, &worker, &Actor::metrics(), |worker| observe_instance(worker, shown, ctx.now())).await
}

/// Starts the stop, unless a brake is on. A change of the worker since it was judged wins: it is
/// judged anew at the next tick.
async fn act(ctx: &Context, worker: &Worker, decision: &mut PowerDecision) -> Result<(), AppError> {
    if ctx.settings.safe_mode {
        decision.action = PowerAction::Wait;
        decision.reason = format!("SAFE_MODE is on, so it is not stopped. {}", decision.reason);
        return Ok(());
    }
    let fleet = ctx.store.fleet_state().await?;
    if fleet.frozen_since.is_some() {
        decision.action = PowerAction::Wait;
        let why = fleet.frozen_reason.unwrap_or_default();
        decision.reason = format!("The fleet is frozen ({why}), so it is not stopped. {}", decision.reason);
        return Ok(());
    }
    debug_assert_eq!(worker.desired, DesiredState::Running);
    let asked = Asked { if_match: Some(worker.version), ..Asked::by(Actor::idle_shutdown()) };
    match stop_worker(ctx, &asked, worker.id, Some(&decision.reason)).await {
        Ok(_) => Ok(()),
        Err(AppError::Stale { .. } | AppError::Busy(_)) => {
            decision.action = PowerAction::Wait;
            decision.reason = "It was changed while it was judged; it is judged anew.".into();
            decision.next_check_at = ctx.now();
            Ok(())
        }
        Err(error) => Err(error),
    }
}
