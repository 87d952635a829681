//! The idle shutdown schedule: send what is due, and keep an eye on the store itself.

use std::collections::BTreeMap;

use domain::{OperationId, Timestamp, WorkerId};

use super::dispatch_labs::LABS_BATCH;
use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectLabs, ControlPower, Message, RunOperation};
use crate::ports::{Outgoing, Queue};
use crate::store::{DueKind, FleetState, LastRun};

/// Workers read at a time.
const PAGE: u32 = 200;
/// One worker of so many may be missing from a list that is trusted again: lists lag.
const MAY_BE_MISSING: u64 = 10;

/// Sends due power decisions, labs that are due to be judged, and due operations. What an earlier send lost is due still, and so is
/// sent again.
///
/// # Errors
/// The table or a queue failed; what is due stays due.
pub async fn dispatch_power(ctx: &Context) -> Result<(), AppError> {
    let now = ctx.now();
    watch_store(ctx).await?;
    let mut power = Vec::new();
    for due in ctx.store.due(DueKind::Power, now).await? {
        if let Ok(worker_id) = due.id.parse::<WorkerId>() {
            power.push(power_message(worker_id, due.due_at));
        }
    }
    let due = ctx.store.due(DueKind::Labs, now).await?;
    let labs: Vec<WorkerId> = due.iter().filter_map(|due| due.id.parse().ok()).collect();
    let messages = labs.chunks(LABS_BATCH).map(|ids| CollectLabs { worker_ids: ids.to_vec() }.outgoing()).collect();
    let mut operations: BTreeMap<Queue, Vec<Outgoing>> = BTreeMap::from([(Queue::Labs, messages)]);
    for due in ctx.store.due(DueKind::Operation, now).await? {
        if let Ok(operation_id) = due.id.parse::<OperationId>() {
            operations.entry(due.queue).or_default().push(RunOperation { operation_id }.outgoing());
        }
    }
    let waiting = operations.iter().filter(|(queue, _)| **queue != Queue::Labs).map(|(_, sent)| sent.len()).sum();
    let run = LastRun { at: now, workers: count(power.len()), labs: count(labs.len()), operations: count(waiting) };
    // A queue that fails keeps nothing from the others: idle shutdown goes on while imports wait.
    let mut outcome = Ok(());
    for (queue, messages) in operations.into_iter().chain([(Queue::Power, power)]) {
        outcome = outcome.and(ctx.queues.send(queue, messages).await);
    }
    outcome.map_err(AppError::Unavailable)?;
    tracing::debug!(workers = run.workers, labs = run.labs, operations = run.operations, "power dispatched");
    ctx.store.save_last_run(&run).await
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// A message to judge one worker, in that worker's group, so that no two judge it at once. While
/// nothing moves, later ticks repeat the same message and the queue drops it; one that was lost is
/// sent again once the queue has forgotten it, after five minutes.
pub(super) fn power_message(worker_id: WorkerId, due_at: Timestamp) -> Outgoing {
    Outgoing {
        body: ControlPower { worker_id }.body(),
        group: Some(worker_id.to_string()),
        deduplication_id: Some(format!("{worker_id}-{}", due_at.as_millisecond())),
    }
}

/// Frozen mode: a list of workers that was full and is empty now is a lost store, not an empty
/// fleet. Until most of it is back, nothing destructive is done: one worker that is written again, or a new one,
/// does not bring back the others.
async fn watch_store(ctx: &Context) -> Result<(), AppError> {
    let state = ctx.store.fleet_state().await?;
    let empty = !ctx.store.has_workers().await?;
    let released = FleetState { had_workers: true, ..FleetState::default() };
    let frozen = |reason: String| FleetState {
        had_workers: true,
        frozen_since: state.frozen_since.or_else(|| Some(ctx.now())),
        frozen_reason: Some(reason),
    };
    let next = match (empty, state.had_workers, state.frozen_since) {
        (false, false, _) => released,
        (false, true, Some(_)) => lost_still(ctx).await?.map_or(released, frozen),
        (true, true, _) => frozen("the list of workers is empty, though there were workers".into()),
        _ => return Ok(()),
    };
    if next == state {
        return Ok(());
    }
    if next.frozen_since.is_some() {
        tracing::error!(reason = next.frozen_reason, "fleet frozen: nothing is stopped or terminated");
    }
    ctx.store.save_fleet_state(&next).await
}

/// What is missing of the list of workers, if so much is missing that it is not to be trusted. What it should hold is
/// known from the counters, where every worker counts from its first judgement until it is over and judged last.
async fn lost_still(ctx: &Context) -> Result<Option<String>, AppError> {
    let counted = ctx.store.reconciliation_counts().await?.workers.total;
    let enough = counted - counted / MAY_BE_MISSING;
    let (mut listed, mut after) = (0, None);
    while listed < enough {
        let page = ctx.store.list_workers(None, PAGE, after).await?;
        listed += count(page.items.iter().filter(|worker| !worker.is_over()).count());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let missing = listed < enough;
    Ok(missing.then(|| format!("the list of workers has {listed} of {counted}; {enough} are enough to go on")))
}
