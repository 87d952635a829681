//! Ask for a backup of a lab.

use domain::operation::cml::BackUpLabTask;
use domain::operation::{Operation, Task};
use domain::session::Person;
use domain::worker::{Command, command::Update};
use domain::{BackupId, LabId, WorkerId};

use super::command::{Asked, replay, start};
use super::lab_access::{lab_to_act_on, running_worker};
use crate::context::Context;
use crate::error::AppError;

/// Starts the saving of a lab. Which backup it becomes is chosen here, so that no repetition makes a second one.
///
/// # Errors
/// The lab is not known or not theirs, the worker does not run, the key does not fit, or a port failed.
pub async fn back_up_lab(
    ctx: &Context,
    asked: &Asked,
    person: &Person,
    worker: WorkerId,
    lab: &LabId,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    lab_to_act_on(ctx, person, &running_worker(ctx, worker).await?, lab).await?;
    let backup = BackupId::new(ctx.now(), ctx.random.next());
    let task = |_: &_| Task::BackUpLab(BackUpLabTask::new(lab.clone(), backup));
    start(ctx, asked, worker, &Command::Update(Update::default()), task).await
}
