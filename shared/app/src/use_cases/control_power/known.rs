//! What is known of a worker besides its snapshot: its use, and what is and was done about it.

use domain::Timestamp;
use domain::operation::work::Work;
use domain::operation::{Operation, Task};
use domain::power::{Evidence, used_in_cml_at};
use domain::reconcile::ReconcileRecord;
use domain::worker::{Worker, WorkerStatus};

use crate::context::Context;
use crate::error::AppError;
use crate::store::{CmlReadings, Listed};
use crate::use_cases::ending::{may_be_taken_back, retirement_that_stands};

/// Newest operations of a worker among which those that move it, and those that people work by, are looked for.
const NEWEST: u32 = 20;
/// Where others hide those that people work by, so many more are read at a time,
const MORE: u32 = 100;
/// and so often: one that is refreshed as often as it may be, for some hours.
const LOOKS: usize = 30;
/// CML's word for a licence that is in order.
const IN_COMPLIANCE: &str = "IN_COMPLIANCE";

/// What is known of a worker besides its snapshot.
pub(super) struct Known {
    pub(super) evidence: Evidence,
    /// What was tried for its wish, with the outcome of what has ended since.
    pub(super) record: ReconcileRecord,
    /// Whether its licence is in order, as CML last told.
    pub(super) licensed: Option<bool>,
}

/// Reads it.
pub(super) async fn gather(ctx: &Context, worker: &Worker, record: ReconcileRecord) -> Result<Known, AppError> {
    let readings: CmlReadings = ctx.store.latest(worker.id).await?.unwrap_or_default();
    // Only where the state is not the wish, or nobody seems to use it, does it matter whether somebody is at it.
    let as_wished = worker.is_as_wished();
    let may_be_idle = worker.status == WorkerStatus::Running && readings.cml.running_nodes == Some(0);
    let used_at = may_be_idle.then(|| used_in_cml_at(worker, &readings.activity));
    let operations = if as_wished && !may_be_idle { vec![] } else { operations(ctx, worker, &record, used_at).await? };
    let ending = retirement_that_stands(ctx, worker.id).await?;
    let ending = ending.filter(|one| matches!(one.task, Task::RetireWorker(_)));
    let moving = operations.iter().rev().find(|one| !one.status.is_final() && one.task.moves_instance());
    let moving = moving.or(ending.as_ref()).filter(|_| !as_wished);
    let license = readings.cml.license.as_ref().and_then(|license| license.authorization.as_deref());
    Ok(Known {
        licensed: license.map(|word| word == IN_COMPLIANCE),
        evidence: Evidence {
            read_at: readings.read_at,
            running_nodes: readings.cml.running_nodes,
            activity: readings.activity,
            work: Work::shown_by(&operations),
            operation_under_way: moving.is_some(),
            waiting_for: moving.and_then(|one| one.waiting_for.clone()),
            ending: ending.as_ref().map(|ending| how_far(worker, ending)),
        },
        record: if as_wished { record } else { outcomes(worker, record, &operations) },
    })
}

/// Its newest operations, oldest first, and the one that was begun last: lists follow late, and it must not be
/// begun twice for that. All that may tell of its use since `used_at`, where that is asked.
async fn operations(
    ctx: &Context,
    worker: &Worker,
    record: &ReconcileRecord,
    used_at: Option<Timestamp>,
) -> Result<Vec<Operation>, AppError> {
    let Listed { items: mut all, mut next } = ctx.store.list_operations(Some(worker.id), NEWEST, None).await?;
    for _ in 0..LOOKS {
        let (Some(used_at), Some(oldest)) = (used_at, all.last()) else { break };
        if next.is_none() || !Work::shown_by(&all).may_be_older(oldest.requested_at, used_at) {
            break;
        }
        let page = ctx.store.list_operations(Some(worker.id), MORE, next).await?;
        all.extend(page.items);
        next = page.next;
    }
    if let Some(id) = record.last_action.and_then(|last| last.operation) {
        all.retain(|one| one.id != id);
        match ctx.store.operation(id).await {
            Ok(operation) => all.push(operation),
            Err(AppError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    all.sort_by_key(|operation| operation.id);
    Ok(all)
}

/// How far the end of a worker is, for people.
fn how_far(worker: &Worker, ending: &Operation) -> String {
    let waits = ending.waiting_for.as_ref().map(|what| format!(" It waits for {what}."));
    let back = if may_be_taken_back(worker, ending) { ", and until then an admin may take that back" } else { "" };
    format!(
        "It is being terminated by operation {}, asked by {}; what is on it is saved first{back}.{}",
        ending.id,
        ending.requested_by,
        waits.unwrap_or_default()
    )
}

/// Counts what has ended of what was asked for this wish; the safe end of a worker, too, where it was begun for it.
fn outcomes(worker: &Worker, record: ReconcileRecord, operations: &[Operation]) -> ReconcileRecord {
    let begun = record.last_action.and_then(|last| last.operation);
    let for_wish = |one: &&Operation| one.task.fulfils_wish() || Some(one.id) == begun;
    let asked = operations.iter().filter(for_wish).filter(|one| one.requested_at >= worker.wish.at);
    asked.fold(record, ReconcileRecord::outcome)
}
