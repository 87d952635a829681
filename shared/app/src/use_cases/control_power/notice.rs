//! Tell people in CML of a stop that is near.

use domain::operation::Task;
use domain::operation::cml::NoticeTask;
use domain::power::{Evidence, NoticeStep, PowerDecision, STOP_NOTICE_LABEL, stop_notice};
use domain::worker::{Worker, WorkerStatus};
use domain::{Actor, Timestamp};

use crate::context::Context;
use crate::error::AppError;
use crate::store::Commit;
use crate::use_cases::command::{Asked, IdempotencyKey, new_operation, replay, start_new};

/// Tells people in CML of a stop that is near, once in each stretch of idleness, or that it was called off.
pub(super) async fn tell(
    ctx: &Context,
    worker: &Worker,
    before: Option<&(Timestamp, PowerDecision)>,
    decision: &PowerDecision,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<(), AppError> {
    if ctx.settings.safe_mode || worker.certificate_sha256.is_none() || worker.status != WorkerStatus::Running {
        return Ok(());
    }
    let (content, stretch) = match stop_notice(before, decision, evidence, &ctx.settings.power, now) {
        NoticeStep::Leave => return Ok(()),
        NoticeStep::Post(content) => (Some(content), decision.idle_since),
        NoticeStep::Withdraw => (None, before.and_then(|(_, before)| before.idle_since)),
    };
    let said = if content.is_some() { "post" } else { "withdraw" };
    let stretch = format!("{} {said} {}", worker.id, stretch.map(|at| at.to_string()).unwrap_or_default());
    let key = Some(IdempotencyKey::new("control-power", "post-notice", &stretch, b""));
    let asked = Asked { key, ..Asked::by(Actor::idle_shutdown()) };
    if replay(ctx, &asked).await?.is_some() {
        return Ok(());
    }
    let task = Task::PostNotice(NoticeTask { label: STOP_NOTICE_LABEL.into(), content });
    let operation = new_operation(ctx, task, Some(worker.id), &asked);
    start_new(ctx, Commit::default(), operation, &asked).await?;
    Ok(())
}
