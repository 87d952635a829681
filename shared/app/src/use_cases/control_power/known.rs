//! What is known of a worker besides its snapshot: its use, and what is and was done about it.

use domain::operation::{Operation, Task};
use domain::power::Evidence;
use domain::reconcile::ReconcileRecord;
use domain::worker::Worker;

use crate::context::Context;
use crate::error::AppError;
use crate::store::CmlReadings;

/// Newest operations of a worker among which those that move it are looked for.
const NEWEST: u32 = 20;
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
    // Only where the state is not the wish does it matter whether somebody is at it.
    let operations = if worker.is_as_wished() { vec![] } else { operations(ctx, worker, &record).await? };
    let license = readings.cml.license.as_ref().and_then(|license| license.authorization.as_deref());
    Ok(Known {
        licensed: license.map(|word| word == IN_COMPLIANCE),
        evidence: Evidence {
            read_at: readings.read_at,
            running_nodes: readings.cml.running_nodes,
            activity: readings.activity,
            operation_under_way: operations.iter().any(|one| !one.status.is_final() && moves_instance(one)),
        },
        record: outcomes(worker, record, &operations),
    })
}

/// Its newest operations, oldest first, and the one that was begun last: lists follow late, and it must not be
/// begun twice for that.
async fn operations(ctx: &Context, worker: &Worker, record: &ReconcileRecord) -> Result<Vec<Operation>, AppError> {
    let mut all = ctx.store.list_operations(Some(worker.id), NEWEST, None).await?.items;
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

/// Whether an operation is about whether the machine runs; what is done to labs or tags changes nothing of that.
fn moves_instance(operation: &Operation) -> bool {
    operation.task.fulfils_wish() || matches!(operation.task, Task::RetireWorker(_))
}

/// Counts what has ended of what was asked for this wish.
fn outcomes(worker: &Worker, record: ReconcileRecord, operations: &[Operation]) -> ReconcileRecord {
    let asked = operations.iter().filter(|one| one.task.fulfils_wish() && one.requested_at >= worker.wish.at);
    asked.fold(record, ReconcileRecord::outcome)
}
