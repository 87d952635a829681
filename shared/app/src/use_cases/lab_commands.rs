//! Do something to a lab, or read a worker's labs anew: judge, and start the operation that does it.

use domain::lab::LabAction;
use domain::operation::cml::LabTask;
use domain::operation::{Operation, Task};
use domain::session::Person;
use domain::worker::{Command, command::Update};
use domain::{LabId, SignedDuration, WorkerId};

use super::command::{Asked, check_version, replay, start, start_on};
use super::lab_access::{lab_to_act_on, running_worker};
use crate::context::Context;
use crate::error::AppError;

/// How often a worker's labs may be asked to be read.
const REFRESH_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Starts, stops, wipes, deletes or changes a lab. A lab is of no version: `If-Match` is of its worker's.
///
/// # Errors
/// The lab is not known or not theirs, the change is none that CML takes, the worker does not run, the version or
/// the key do not fit, or a port failed.
pub async fn act_on_lab(
    ctx: &Context,
    asked: &Asked,
    person: &Person,
    worker: WorkerId,
    lab: &LabId,
    action: LabAction,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    if let LabAction::Update(edit) = &action {
        edit.check()?;
    }
    let running = running_worker(ctx, worker).await?;
    lab_to_act_on(ctx, person, &running, lab).await?;
    let task = |_: &_| Task::ActOnLab(LabTask::new(lab.clone(), action.clone()));
    start_on(ctx, asked, (worker, Some((lab, &action))), &nothing_of_its_own(), task).await
}

/// Reads the worker's labs now; at most once in ten seconds of machine time.
///
/// # Errors
/// Asked again too soon, the worker does not exist or does not run, the version or the key do not fit, or a port
/// failed.
pub async fn refresh_labs(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let worker = running_worker(ctx, id).await?;
    check_version(asked, &worker)?;
    let turn = ctx.store.take_turn("refresh-labs", &id.to_string(), ctx.machine_clock.now(), REFRESH_EVERY).await?;
    if let Some(retry_after) = turn {
        return Err(AppError::TooSoon { retry_after });
    }
    start(ctx, asked, id, &nothing_of_its_own(), |_| Task::RefreshLabs).await
}

/// What is done at a controller changes nothing of the worker itself.
pub(super) fn nothing_of_its_own() -> Command {
    Command::Update(Update::default())
}
