//! Start, stop, terminate, monitoring: a wish and the operation that fulfils it.

use domain::operation::{Operation, Task};
use domain::worker::{Command, DesiredState};
use domain::{Actor, WorkerId};

use super::command::{Asked, start};
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
    start(ctx, asked, id, &Command::Want { desired, reason }, |_| match desired {
        DesiredState::Running => Task::StartWorker,
        DesiredState::Stopped => Task::StopWorker,
        DesiredState::Terminated => Task::TerminateWorker,
    })
    .await
}

pub(super) fn who(actor: &Actor) -> String {
    match actor {
        Actor::User { username, .. } => username.clone(),
        Actor::System(name) => name.replace('-', " "),
        Actor::Aws => "AWS".into(),
    }
}
