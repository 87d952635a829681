//! Start, stop, terminate, monitoring: a wish and the operation that fulfils it.

use domain::operation::{Operation, Task};
use domain::worker::{Command, DesiredState};
use domain::{Actor, WorkerId};

use super::command::{Asked, check_version, replay, start};
use super::ending::retirement_under_way;
use crate::context::Context;
use crate::error::AppError;

/// Wants the worker running.
///
/// # Errors
/// As [`start`].
pub async fn start_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    want(ctx, asked, id, DesiredState::Running, format!("Started by {}.", who(&asked.actor))).await
}

/// Wants the worker stopped, for a reason that users read.
///
/// # Errors
/// As [`start`].
pub async fn stop_worker(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    reason: Option<&str>,
) -> Result<Operation, AppError> {
    let by = format!("Stopped by {}", who(&asked.actor));
    let reason = reason.map_or_else(|| format!("{by}."), |reason| format!("{by}: {reason}"));
    want(ctx, asked, id, DesiredState::Stopped, reason).await
}

/// Wants the worker gone, with all that is on it; see [`retire_worker`](super::retire_worker::retire_worker).
///
/// # Errors
/// As [`start`].
pub async fn terminate_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    want(ctx, asked, id, DesiredState::Terminated, format!("Terminated by {}.", who(&asked.actor))).await
}

/// Wants detailed monitoring on or off.
///
/// # Errors
/// As [`start`].
pub async fn set_monitoring(ctx: &Context, asked: &Asked, id: WorkerId, enabled: bool) -> Result<Operation, AppError> {
    start(ctx, asked, id, &Command::SetMonitoring { enabled }, |_| Task::SetMonitoring { enabled }).await
}

async fn want(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    desired: DesiredState,
    reason: String,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let task = match desired {
        DesiredState::Running => Task::StartWorker,
        DesiredState::Stopped => Task::StopWorker,
        DesiredState::Terminated => Task::TerminateWorker,
    };
    if desired != DesiredState::Terminated
        && let Some(ending) = retirement_under_way(ctx, id).await?
    {
        // Else one of the two would win by chance, and it may be the one that destroys.
        return Err(AppError::Conflict(format!("the worker is being terminated by operation {}", ending.id)));
    }
    match seen_to(ctx, asked, id, desired, &task).await? {
        Some(under_way) => Ok(under_way),
        None => start(ctx, asked, id, &Command::Want { desired, reason }, |_| task.clone()).await,
    }
}

/// The operation that is seeing to this very wish. Who gives a key has an operation of their own.
async fn seen_to(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    desired: DesiredState,
    task: &Task,
) -> Result<Option<Operation>, AppError> {
    if asked.key.is_some() {
        return Ok(None);
    }
    let worker = ctx.store.worker(id).await?;
    check_version(asked, &worker)?;
    if worker.desired != desired {
        return Ok(None);
    }
    let record = ctx.store.power(id).await?.map(|due| due.record).filter(|record| record.wish == worker.wish.number);
    let Some(last) = record.and_then(|record| record.last_action?.operation) else { return Ok(None) };
    match ctx.store.operation(last).await {
        Err(AppError::NotFound { .. }) => Ok(None),
        found => {
            // A creation is also the start of what it launches.
            let serves = |one: &Operation| {
                one.task == *task || (desired == DesiredState::Running && one.task == Task::CreateWorker)
            };
            Ok(Some(found?).filter(|one| !one.status.is_final() && serves(one)))
        }
    }
}

pub(super) fn who(actor: &Actor) -> String {
    match actor {
        Actor::User { username, .. } => username.clone(),
        Actor::System(name) => name.replace('-', " "),
        Actor::Aws => "AWS".into(),
    }
}
