//! Make tags right that somebody changed in EC2.

use domain::drift::DriftKind;
use domain::operation::Task;
use domain::reconcile::ReconcileRecord;
use domain::reconcile::worker::TAGS_DIFFER_FOR;
use domain::worker::{Change, Command, Worker, command::command};
use domain::{Actor, Timestamp};

use crate::context::Context;
use crate::error::AppError;
use crate::store::Commit;
use crate::use_cases::command::{Asked, IdempotencyKey, new_operation, replay, start_new};

/// Starts making them right, once for each time they were changed, when they have differed for a while.
pub(super) async fn heal(
    ctx: &Context,
    worker: &Worker,
    record: &ReconcileRecord,
    now: Timestamp,
) -> Result<(), AppError> {
    let Some(drift) = record.drift_of(DriftKind::Tags).filter(|drift| drift.since + TAGS_DIFFER_FOR <= now) else {
        return Ok(());
    };
    if ctx.settings.safe_mode {
        return Ok(());
    }
    let stretch = format!("{} {}", worker.id, drift.since);
    let key = Some(IdempotencyKey::new("reconciler", "update-tags", &stretch, b""));
    let asked = Asked { key, ..Asked::by(Actor::reconciler()) };
    if replay(ctx, &asked).await?.is_some() {
        return Ok(());
    }
    let noted = Command::NoteDrift { kind: drift.kind, was: drift.was.clone(), is: drift.is.clone() };
    // What was begun a moment ago changed the worker: then this waits for the next judgement.
    let change = Change::of(worker, command(worker, &noted)?, asked.actor.clone(), now);
    let operation = new_operation(ctx, Task::UpdateTags { remove: vec![] }, Some(worker.id), &asked);
    start_new(ctx, Commit { change, ..Commit::default() }, operation, &asked).await?;
    Ok(())
}
