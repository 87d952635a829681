//! On which labs somebody may act, and on which workers anything can be done with labs at all.

use domain::lab::Lab;
use domain::session::Person;
use domain::worker::{Command, DesiredState, Worker, WorkerStatus, command::Update, command::command};
use domain::{LabId, WorkerId};

use super::ending::retirement_under_way;
use crate::context::Context;
use crate::error::AppError;

/// The lab, for somebody who may act on it. `person` has the name that their labs are found by.
///
/// # Errors
/// It is not known or not theirs to see, [`AppError::NotTheirLab`], or the table failed.
pub async fn lab_to_act_on(ctx: &Context, person: &Person, worker: &Worker, id: &LabId) -> Result<Lab, AppError> {
    let lab = ctx.store.lab(worker.id, id).await?;
    let owner = lab.owner_username.as_deref();
    if !sees_lab(ctx, person, worker.owner.as_deref(), owner) {
        return Err(AppError::NotFound { kind: "lab", id: id.to_string() });
    }
    ctx.settings.lab_owners.check(person, owner)?;
    Ok(lab)
}

/// Whether that person sees a lab of that CML owner, on a worker of that owner.
#[must_use]
pub fn sees_lab(ctx: &Context, person: &Person, worker_owner: Option<&str>, lab_owner: Option<&str>) -> bool {
    let sight = ctx.settings.visibility.of(person);
    sight.sees(worker_owner) || lab_owner.is_some_and(|name| sight.sees(ctx.settings.lab_owners.owner(name)))
}

/// The worker, which must run, and not be about to end: what is made on it then would be lost.
///
/// # Errors
/// It does not exist, does not run, is being terminated, or the table failed.
pub async fn running_worker(ctx: &Context, id: WorkerId) -> Result<Worker, AppError> {
    let worker = ctx.store.worker(id).await?;
    // Of one that is gone for good nobody should hear that it can be started.
    command(&worker, &Command::Update(Update::default()))?;
    if let Some(why) = being_ended(ctx, &worker).await? {
        return Err(AppError::Conflict(why));
    }
    if worker.status == WorkerStatus::Running {
        return Ok(worker);
    }
    Err(AppError::Conflict(format!(
        "the worker is {}, and nothing can be done at it; start it first",
        worker.status.name()
    )))
}

/// Why nothing may be done at a worker any more, if it is about to end.
///
/// # Errors
/// The table failed.
pub(super) async fn being_ended(ctx: &Context, worker: &Worker) -> Result<Option<String>, AppError> {
    if let Some(ending) = retirement_under_way(ctx, worker.id).await? {
        return Ok(Some(format!(
            "the worker is being terminated by operation {}; nothing can be done at it",
            ending.id
        )));
    }
    let wanted_gone = worker.desired == DesiredState::Terminated;
    Ok(wanted_gone.then(|| "the worker is wanted terminated, and nothing can be done at it".into()))
}
