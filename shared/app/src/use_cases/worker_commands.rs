//! Start, stop, terminate, monitoring: a wish and the operation that fulfils it.

use domain::operation::{Operation, Task};
use domain::worker::{Command, DesiredState};
use domain::{Actor, WorkerId};

use super::command::{Asked, check_version, into_app_error, replay, send, start, try_start};
use super::ending::{InTheWay, in_the_way};
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, CommitError};

/// How often an end is tried to be taken back when others change the same worker.
const ATTEMPTS: usize = 10;

/// Wants the worker running.
///
/// # Errors
/// As [`start`].
pub async fn start_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    want(ctx, asked, id, DesiredState::Running, reason(asked, DesiredState::Running)).await
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
    let by = || self::reason(asked, DesiredState::Stopped);
    let reason = reason.map_or_else(by, |reason| format!("Stopped by {}: {reason}", who(&asked.actor)));
    want(ctx, asked, id, DesiredState::Stopped, reason).await
}

/// Takes the safe end of the worker back by wanting it otherwise. Null where there is none to be taken back: then that
/// is a wish like any other.
///
/// # Errors
/// As [`start`].
pub(super) async fn take_back(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    desired: DesiredState,
) -> Result<Option<Operation>, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(Some(done));
    }
    let wish = Command::Want { desired, reason: reason(asked, desired) };
    for _ in 0..ATTEMPTS {
        let InTheWay::MayBeTakenBack(change, ending) = in_the_way(ctx, id).await? else { return Ok(None) };
        let commit = Commit { ending: Some(change), ..Commit::default() };
        match try_start(ctx, asked, (id, None), &wish, &|_| task(desired), commit).await {
            Err(CommitError::WorkerChanged | CommitError::Contended) => {}
            Err(error) => return Err(into_app_error(error)),
            Ok(operation) => {
                // What it undoes of itself is not left to the next time that it is due.
                send(ctx, &ending).await;
                return Ok(Some(operation));
            }
        }
    }
    Err(AppError::Busy(id))
}

/// Wants the worker gone, with all that is on it; see [`retire_worker`](super::retire_worker::retire_worker).
///
/// # Errors
/// As [`start`].
pub async fn terminate_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    want(ctx, asked, id, DesiredState::Terminated, reason(asked, DesiredState::Terminated)).await
}

/// Wants detailed monitoring on or off.
///
/// # Errors
/// As [`start`].
pub async fn set_monitoring(ctx: &Context, asked: &Asked, id: WorkerId, enabled: bool) -> Result<Operation, AppError> {
    start(ctx, asked, id, &Command::SetMonitoring { enabled }, |_| Task::SetMonitoring { enabled }).await
}

/// What fulfils that wish.
fn task(desired: DesiredState) -> Task {
    match desired {
        DesiredState::Running => Task::StartWorker,
        DesiredState::Stopped => Task::StopWorker,
        DesiredState::Terminated => Task::TerminateWorker,
    }
}

/// Why the worker is so, by the wish of whoever asks.
fn reason(asked: &Asked, desired: DesiredState) -> String {
    let done = match desired {
        DesiredState::Running => "Started",
        DesiredState::Stopped => "Stopped",
        DesiredState::Terminated => "Terminated",
    };
    format!("{done} by {}.", who(&asked.actor))
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
    if desired != DesiredState::Terminated {
        // Else one of the two would win by chance, and it may be the one that destroys.
        match in_the_way(ctx, id).await? {
            InTheWay::Nothing => {}
            InTheWay::Ends(ending) => {
                return Err(AppError::Conflict(format!("the worker is being terminated by operation {ending}")));
            }
            InTheWay::MayBeTakenBack(_, ending) => {
                return Err(AppError::Conflict(format!(
                    "the worker is being terminated by operation {}, which an admin may still take back: PUT \
                     /api/workers/{id}/desired-state",
                    ending.id
                )));
            }
        }
    }
    match seen_to(ctx, asked, id, desired).await? {
        Some(under_way) => Ok(under_way),
        None => start(ctx, asked, id, &Command::Want { desired, reason }, |_| task(desired)).await,
    }
}

/// The operation that is seeing to this very wish. Who gives a key has an operation of their own.
async fn seen_to(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    desired: DesiredState,
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
                one.task == task(desired) || (desired == DesiredState::Running && one.task == Task::CreateWorker)
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
