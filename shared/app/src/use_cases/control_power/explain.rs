//! What people have to know beside a decision: what is lost, and what only they can mend.

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::decision::Action;
use domain::power::PowerDecision;
use domain::reconcile::ReconcileRecord;
use domain::reconcile::worker::{MANAGED_TAG_LOST, is_unmanaged};
use domain::worker::{Worker, WorkerStatus};

use crate::context::Context;
use crate::error::AppError;
use crate::use_cases::lost_labs::what_is_lost;

/// The decision, with that added to its reason; `tags` are those of the instance, where they were seen.
pub(super) async fn explain(
    ctx: &Context,
    worker: &Worker,
    decision: PowerDecision,
    record: &ReconcileRecord,
    tags: Option<&BTreeMap<String, String>>,
    now: Timestamp,
) -> Result<PowerDecision, AppError> {
    // Lost, whether it is launched again by itself or by a person.
    let is_gone = matches!(worker.status, WorkerStatus::Failed | WorkerStatus::Terminated) && !worker.is_over();
    let is_lost = decision.action == Action::Relaunch || is_gone;
    let lost = if is_lost { what_is_lost(ctx, worker).await? } else { None };
    let unmanaged = tags.is_some_and(|tags| is_unmanaged(record, tags, now));
    let more = lost.as_deref().into_iter().chain(unmanaged.then_some(MANAGED_TAG_LOST));
    let reason = more.fold(decision.reason, |reason, more| format!("{reason} {more}"));
    Ok(PowerDecision { reason, ..decision })
}
