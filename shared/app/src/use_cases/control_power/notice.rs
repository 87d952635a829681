//! Tell people in CML of a stop that is near.

use domain::operation::Task;
use domain::operation::cml::NoticeTask;
use domain::power::{Evidence, NoticeStep, PowerDecision, STOP_NOTICE_LABEL, stop_notice};
use domain::worker::{Worker, WorkerStatus};
use domain::{Actor, Timestamp};

use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, PowerDue};
use crate::use_cases::command::{Asked, IdempotencyKey, new_operation, replay, start_new};

/// Tells people in CML of a stop that is near, once in each stretch of idleness, or that it was called off. The
/// stretch that they are told of from now on.
pub(super) async fn tell(
    ctx: &Context,
    worker: &Worker,
    due: &PowerDue,
    decision: &PowerDecision,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Option<Timestamp>, AppError> {
    if ctx.settings.safe_mode || worker.certificate_sha256.is_none() || worker.status != WorkerStatus::Running {
        return Ok(due.told_of);
    }
    let (said, content, told_of) = match stop_notice(due.told_of, decision, evidence, &ctx.settings.power, now) {
        NoticeStep::Leave => return Ok(due.told_of),
        NoticeStep::Post(content) => ("post", Some(content), decision.idle_since),
        NoticeStep::Withdraw => ("withdraw", None, None),
    };
    // The same judgement, made again because it could not be written down, tells nobody twice.
    let judged = due.decided.as_ref().map(|(at, _)| at.to_string()).unwrap_or_default();
    let key = Some(IdempotencyKey::new("control-power", "post-notice", &format!("{} {said} {judged}", worker.id), b""));
    let asked = Asked { key, ..Asked::by(Actor::idle_shutdown()) };
    if replay(ctx, &asked).await?.is_none() {
        let task = Task::PostNotice(NoticeTask { label: STOP_NOTICE_LABEL.into(), content });
        let operation = new_operation(ctx, task, Some(worker.id), &asked);
        start_new(ctx, Commit::default(), operation, &asked).await?;
    }
    Ok(told_of)
}
