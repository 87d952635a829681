//! The end of a worker: what is on it is saved first, unless somebody says why not.

use std::collections::BTreeSet;

use domain::operation::retire::{RetireTask, SavedLab};
use domain::operation::{Operation, Task};
use domain::worker::{Command, DesiredState, Worker, WorkerStatus, command::Update, command::command};
use domain::{InstanceId, LabId, SignedDuration, Timestamp, WorkerId};

use super::command::{Asked, check_version, into_app_error, replay, try_start};
use super::ending::{last_ending, retirement_that_stands, stopped_until};
use super::worker_commands::{terminate_worker, who};
use crate::context::Context;
use crate::error::AppError;
use crate::store::{CmlReadings, Commit, CommitError, EndingChange};

/// How much later than the next metrics a machine may be seen to run no more, for its last reading to count.
const READING_SLACK: SignedDuration = SignedDuration::from_mins(2);
/// How often the start is tried when others write the same worker.
const ATTEMPTS: usize = 10;

/// Starts the safe end of a worker: its labs are saved, people are told, its seats are given back, and then it is
/// terminated. Where there is nothing to save, or all was saved before, it is terminated at once. One that is under
/// way goes on.
///
/// # Errors
/// The worker does not exist or is gone, the version or the key do not fit, or a port failed.
pub async fn retire_worker(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let worker = ctx.store.worker(id).await?;
    check_version(asked, &worker)?;
    let wanted_gone = worker.desired == DesiredState::Terminated;
    let by = format!("Terminated by {}.", who(&asked.actor));
    let reason = if wanted_gone { "It is wanted gone.".to_owned() } else { by };
    command(&worker, &Command::Want { desired: DesiredState::Terminated, reason: reason.clone() })?;
    match how_to_end(ctx, &worker, reason).await? {
        HowToEnd::IsUnderWay(operation) => Ok(*operation),
        // Both on the heap: what waits for one of them is large enough.
        HowToEnd::AtOnce => Box::pin(terminate_worker(ctx, asked, id)).await,
        HowToEnd::Safely(task) => {
            let task = Task::RetireWorker(task);
            Box::pin(start_ending(ctx, asked, id, &Command::Update(Update::default()), &task)).await
        }
    }
}

/// How a worker is ended.
pub(super) enum HowToEnd {
    /// This operation does it already.
    IsUnderWay(Box<Operation>),
    /// There is nothing to save, or all was saved before or given up by force.
    AtOnce,
    /// What is on it is saved first.
    Safely(RetireTask),
}

/// How a worker is ended that is to be gone for that reason.
///
/// # Errors
/// The table failed.
pub(super) async fn how_to_end(ctx: &Context, worker: &Worker, reason: String) -> Result<HowToEnd, AppError> {
    if let Some(under_way) = retirement_that_stands(ctx, worker.id).await? {
        return Ok(HowToEnd::IsUnderWay(Box::new(under_way)));
    }
    let before = last_ending(ctx, worker.id).await?.map(|(_, operation)| operation);
    // The last one had come so far that only the instance was left to terminate, or was by force.
    let wanted_gone = worker.desired == DesiredState::Terminated;
    let handed_over = wanted_gone && before.as_ref().is_some_and(|before| before.task == Task::TerminateWorker);
    if handed_over || nothing_to_save(ctx, worker).await? {
        return Ok(HowToEnd::AtOnce);
    }
    let (saved, stopped) = left_by(ctx, worker, before).await?;
    Ok(HowToEnd::Safely(RetireTask::new(reason, saved, stopped)))
}

/// Starts the termination of a worker with all that is on it, for a reason that its event tells.
///
/// # Errors
/// As [`retire_worker`].
pub async fn terminate_by_force(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    reason: &str,
) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    let reason = format!("Terminated by {}, by force: {reason}", who(&asked.actor));
    let wish = Command::Want { desired: DesiredState::Terminated, reason };
    start_ending(ctx, asked, id, &wish, &Task::TerminateWorker).await
}

/// Starts the operation that ends the worker, and records that it is the one. A safe end that finds another under
/// way is that one; force comes before both.
async fn start_ending(
    ctx: &Context,
    asked: &Asked,
    id: WorkerId,
    wish: &Command,
    task: &Task,
) -> Result<Operation, AppError> {
    for _ in 0..ATTEMPTS {
        let before = ctx.store.ending(id).await?;
        if let (Task::RetireWorker(_), Some(under_way)) = (task, retirement_that_stands(ctx, id).await?) {
            return Ok(under_way);
        }
        let ending = Some(EndingChange::Begun(id, before.map_or(0, |before| before.version)));
        let commit = Commit { ending, ..Commit::default() };
        match try_start(ctx, asked, (id, None), wish, &|_| task.clone(), commit).await {
            Err(CommitError::WorkerChanged | CommitError::Contended) => {}
            other => return other.map_err(into_app_error),
        }
    }
    Err(AppError::Busy(id))
}

/// What an end that was given up saved, and is still kept; and labs that it stopped, and that have not been as they are
/// wished since.
async fn left_by(
    ctx: &Context,
    worker: &Worker,
    before: Option<Operation>,
) -> Result<(Vec<SavedLab>, Vec<LabId>), AppError> {
    let Some((Task::RetireWorker(task), until)) =
        before.map(|before| (before.task.clone(), stopped_until(ctx, &before)))
    else {
        return Ok((vec![], vec![]));
    };
    let (mut kept, mut stopped) = (Vec::new(), task.stopped);
    for saved in task.saved {
        if ctx.store.find_backup(saved.backup).await?.is_some() {
            kept.push(saved);
        }
    }
    if !stopped.is_empty() {
        let wishes = ctx.store.lab_wishes(worker.id).await?;
        let again = wishes.iter().filter(|wish| wish.as_wished_at > Some(until)).map(|wish| &wish.lab_id);
        let again: BTreeSet<&LabId> = again.collect();
        stopped.retain(|lab| !again.contains(lab));
    }
    Ok((kept, stopped))
}

/// Whether it is known that nothing is lost with the worker: it never had a machine, its machine is lost already,
/// or this very machine was read and had neither labs nor a licence. What was not read is not known; and one that
/// runs, or comes up, is asked itself.
///
/// # Errors
/// The table failed.
pub(super) async fn nothing_to_save(ctx: &Context, worker: &Worker) -> Result<bool, AppError> {
    match worker.status {
        WorkerStatus::Terminating | WorkerStatus::Terminated | WorkerStatus::Failed => return Ok(true),
        status if status.may_run() => return Ok(false),
        _ if worker.never_had_instance() => return Ok(true),
        _ => {}
    }
    let (Some(instance), Some(ran_until)) = (&worker.instance, worker.ran_until) else { return Ok(false) };
    let read = ctx.store.latest::<CmlReadings>(worker.id).await?.unwrap_or_default();
    let lately = ran_until - ctx.settings.power.metrics_interval - READING_SLACK;
    Ok(was_read_empty(&read, &instance.id, lately) && ctx.store.all_worker_labs(worker.id).await?.is_empty())
}

/// Whether the last look at this machine was a whole reading, of neither labs nor a licence, and not before `lately`.
/// Where a later one failed, or none came for a while, the machine ran on unseen.
fn was_read_empty(read: &CmlReadings, machine: &InstanceId, lately: Timestamp) -> bool {
    let of_it = read.instance_id.as_deref() == Some(machine.as_str());
    let whole = read.read_at.is_some() && read.read_at == read.tried_at && read.errors.is_empty();
    let is_last = whole && read.read_at >= Some(lately);
    let license = read.cml.license.as_ref();
    let unlicensed = license.is_some_and(|one| one.registration.is_some() && !one.may_hold_seat());
    of_it && is_last && read.cml.labs == Some(0) && unlicensed
}

/// Whether CML ever answered on the worker's machine, as far as is known.
///
/// # Errors
/// The table failed.
pub(super) async fn has_answered(ctx: &Context, worker: &Worker) -> Result<bool, AppError> {
    if worker.certificate_sha256.is_some() {
        return Ok(true);
    }
    // A launch of which no machine was seen yet.
    let Some(instance) = &worker.instance else { return Ok(false) };
    let read = ctx.store.latest::<CmlReadings>(worker.id).await?.unwrap_or_default();
    // An older version did not say which machine it read.
    Ok(read.instance_id.map_or(read.cml.version.is_some(), |read_of| read_of == instance.id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::metrics::{CmlReading, LicenseReading};

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn machine() -> InstanceId {
        "i-0123456789abcdef0".parse().unwrap()
    }

    fn empty() -> CmlReadings {
        let license = LicenseReading { registration: Some("NOT_REGISTERED".into()), ..LicenseReading::default() };
        CmlReadings {
            tried_at: Some(AT),
            read_at: Some(AT),
            instance_id: Some(machine().to_string()),
            cml: CmlReading { labs: Some(0), license: Some(license), ..CmlReading::default() },
            ..CmlReadings::default()
        }
    }

    #[test]
    fn a_machine_is_empty_only_by_a_whole_reading_that_none_has_failed_after() {
        assert!(was_read_empty(&empty(), &machine(), AT));
        let tried_again = Some(AT + SignedDuration::from_mins(5));
        assert!(!was_read_empty(&CmlReadings { tried_at: tried_again, ..empty() }, &machine(), AT));
        let errors = vec!["CML GET /labs: 502".into()];
        assert!(!was_read_empty(&CmlReadings { errors, ..empty() }, &machine(), AT));
        assert!(!was_read_empty(&CmlReadings { instance_id: None, ..empty() }, &machine(), AT));
        assert!(!was_read_empty(&CmlReadings { read_at: None, tried_at: None, ..empty() }, &machine(), AT));
        let before = AT + SignedDuration::from_secs(1);
        assert!(!was_read_empty(&empty(), &machine(), before), "it ran on unseen");
    }
}
