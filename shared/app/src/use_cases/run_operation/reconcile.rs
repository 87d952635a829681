//! Judge now: make due what is judged, and see it judged.

use std::collections::BTreeSet;

use domain::WorkerId;
use domain::decision::Action;
use domain::operation::{FleetTask, Operation, OperationResult, Task};
use domain::worker::{Worker, WorkerStatus};
use futures::{StreamExt, TryStreamExt};

use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectLabs, Message};
use crate::ports::Queue;
use crate::store::PowerDue;
use crate::use_cases::dispatch_labs::LABS_BATCH;
use crate::use_cases::dispatch_power::power_message;
use crate::use_cases::operation_run::Progress;

/// Workers read at a time.
const PAGE: u32 = 200;
/// Pages of one run: their writes must fit into it.
const PAGES_PER_RUN: usize = 10;
/// Writes at the same time.
const WRITES: usize = 10;
/// Workers that are named of those that are waited for.
const NAMED_MAX: usize = 3;

pub(super) async fn worker(ctx: &Context, operation: &Operation, id: WorkerId) -> Result<Progress, AppError> {
    let worker = ctx.store.worker(id).await?;
    let done = |detail: String| {
        let detail = Some(detail);
        Ok(Progress::Done(OperationResult { worker_id: Some(id), detail, ..OperationResult::default() }))
    };
    if worker.is_over() {
        return done(format!("It is {}, and judged no more.", worker.status.name()));
    }
    let standing = ctx.store.power(id).await?.and_then(|due| due.decided);
    if let Some((at, decision)) = &standing
        && *at >= operation.requested_at
    {
        return done(format!("Judged: {}. {}", decision.action.name(), decision.reason));
    }
    // Why it could not be judged is what stands where that goes on.
    let stuck = standing.filter(|(_, decision)| decision.action == Action::Investigate);
    let why = stuck.map(|(_, decision)| format!(" ({})", decision.reason)).unwrap_or_default();
    make_due(ctx, &[worker]).await?;
    Ok(Progress::waiting(ctx, format!("it to be judged{why}")))
}

pub(super) async fn fleet(ctx: &Context, operation: &mut Operation, mut run: FleetTask) -> Result<Progress, AppError> {
    if run.all_reached {
        if let Some(waits_for) = unjudged(ctx, operation, &mut run).await? {
            operation.task = Task::ReconcileFleet(run);
            return Ok(Progress::waiting(ctx, waits_for));
        }
        let counts = ctx.store.reconciliation_counts().await?.workers;
        let detail = format!(
            "Of {} workers {} are not as they are wished, and {} were given up or failed last.",
            counts.total, counts.in_need, counts.errors
        );
        let (workers, detail) = (Some(run.reached), Some(detail));
        return Ok(Progress::Done(OperationResult { workers, detail, ..OperationResult::default() }));
    }
    for _ in 0..PAGES_PER_RUN {
        let page = ctx.store.list_workers(None, PAGE, run.after.take()).await?;
        let live: Vec<Worker> = page.items.into_iter().filter(|worker| !worker.is_over()).collect();
        make_due(ctx, &live).await?;
        run.reached += u32::try_from(live.len()).unwrap_or(u32::MAX);
        run.after = page.next;
        run.all_reached = run.after.is_none();
        if run.all_reached {
            break;
        }
    }
    operation.result = Some(OperationResult { workers: Some(run.reached), ..OperationResult::default() });
    let waits_for = if run.all_reached { "what is due to be judged" } else { "its turn with the rest of the fleet" };
    operation.task = Task::ReconcileFleet(run);
    Ok(Progress::waiting(ctx, waits_for))
}

/// What the run waits for still: workers that were not judged since it was asked for. It goes on from the first page
/// that has some.
async fn unjudged(ctx: &Context, operation: &Operation, run: &mut FleetTask) -> Result<Option<String>, AppError> {
    for _ in 0..PAGES_PER_RUN {
        let page = ctx.store.list_workers(None, PAGE, run.after.clone()).await?;
        let live: Vec<WorkerId> = page.items.iter().filter(|one| !one.is_over()).map(|one| one.id).collect();
        let judged = |due: &PowerDue| due.decided.as_ref().is_some_and(|(at, _)| *at >= operation.requested_at);
        let judged: BTreeSet<WorkerId> =
            ctx.store.powers(&live).await?.iter().filter(|due| judged(due)).map(|due| due.worker_id).collect();
        let open: Vec<String> = live.iter().filter(|id| !judged.contains(id)).map(ToString::to_string).collect();
        if !open.is_empty() {
            let more = if open.len() > NAMED_MAX { ", and others" } else { "" };
            return Ok(Some(format!("{}{more} to be judged", open[..open.len().min(NAMED_MAX)].join(", "))));
        }
        run.after = page.next;
        if run.after.is_none() {
            return Ok(None);
        }
    }
    Ok(Some("the rest of the fleet to be judged".into()))
}

/// Makes workers due now and sends them to be judged, with their labs where they run. What is due already is only
/// sent again: its message is the same, and the queue drops it.
async fn make_due(ctx: &Context, workers: &[Worker]) -> Result<(), AppError> {
    let now = ctx.now();
    let ids: Vec<WorkerId> = workers.iter().map(|worker| worker.id).collect();
    let standing = ctx.store.powers(&ids).await?;
    let (mut messages, mut hurried) = (Vec::new(), Vec::new());
    for id in ids {
        match standing.iter().find(|due| due.worker_id == id) {
            Some(due) if due.due_at <= now => messages.push(power_message(id, due.due_at)),
            // One without a due item lost it: it gets a new one.
            due => {
                hurried.push(PowerDue::hurried(id, due.cloned(), now));
                messages.push(power_message(id, now));
            }
        }
    }
    let writes = hurried.into_iter().map(|due| async move { ctx.store.save_power(&due).await });
    futures::stream::iter(writes).buffer_unordered(WRITES).try_collect::<Vec<()>>().await?;
    let running: Vec<WorkerId> =
        workers.iter().filter(|worker| worker.status == WorkerStatus::Running).map(|worker| worker.id).collect();
    let labs = running.chunks(LABS_BATCH).map(|ids| CollectLabs { worker_ids: ids.to_vec() }.outgoing()).collect();
    ctx.queues.send(Queue::Power, messages).await.map_err(AppError::Unavailable)?;
    ctx.queues.send(Queue::Labs, labs).await.map_err(AppError::Unavailable)
}
