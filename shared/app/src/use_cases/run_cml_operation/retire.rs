//! Save what is on a worker, give its seats back, and then terminate it.

mod steps;

use domain::decision::Action;
use domain::operation::retire::{RetireStep, RetireTask};
use domain::operation::{Operation, OperationResult, SAFE_MODE, SUPERSEDED, Task};
use domain::worker::{Change, Command, DesiredState, Worker, WorkerStatus, command::command};
use domain::{OperationId, SignedDuration, Timestamp, WorkerId};

use super::notice;
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, CommitError, Ending, EndingChange, EndingStage, PowerDue};
use crate::use_cases::command::into_app_error;
use crate::use_cases::controller::{CmlPorts, NoWay, reach};
use crate::use_cases::operation_run::{Progress, frozen, keep};
use crate::use_cases::retire_worker::{has_answered, nothing_to_save};
use steps::{Next, Retirement};

/// For so long one run begins another step or another lab; the next run goes on. Machine time.
const RUN_FOR: SignedDuration = SignedDuration::from_secs(20);
/// How soon a controller is looked for again that nobody was in contact with.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// So long after its start, or after its end was asked for, a machine of ours whose CML never answered is given up:
/// bare metal has CML up in 10 minutes, and metrics are read every 5.
const FIRST_CONTACT_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// How often the wish is written anew when others change the same worker.
const ATTEMPTS: usize = 5;
/// The notice's headline.
const NOTICE: &str = "This worker is about to be terminated";
/// Why an end gives way to another wish.
const TAKEN_BACK: &str = "It was taken back: the worker was wanted otherwise.";
/// What helps where a step cannot be done.
const FORCE: &str = "Or terminate it with force and a reason: then what is on it is lost, and its seats stay taken.";

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    operation: &mut Operation,
    worker: &Worker,
    mut task: RetireTask,
) -> Result<Progress, AppError> {
    match standing(ctx, operation, worker.id).await? {
        Standing::Over(why) => return Ok(Progress::failed(SUPERSEDED, why)),
        Standing::Forced => return hand_over(ctx, operation, worker, &task).await,
        // By this operation, which was cut off after its wish.
        Standing::GoesOn if worker.status.is_final() || task.step == RetireStep::HandOver => {
            warn_of_loss(operation, worker, &task);
            return hand_over(ctx, operation, worker, &task).await;
        }
        Standing::GoesOn => {}
    }
    if let Some(held) = brake(ctx, &task).await? {
        return Ok(held);
    }
    let way = match reach(ctx, ports.secrets, worker).await? {
        Ok(way) => way,
        Err(no_way) => return without_way(ctx, operation, worker, &task, no_way).await,
    };
    let retirement = Retirement { ctx, ports, way: &way, worker };
    let begun = ctx.machine_clock.now();
    loop {
        let next = retirement.step(operation, &mut task).await?;
        note(operation, &task);
        match next {
            Next::Step => {}
            Next::Stop(progress) => {
                return Ok(match standing(ctx, operation, worker.id).await? {
                    Standing::Over(why) => Progress::failed(SUPERSEDED, why),
                    Standing::GoesOn | Standing::Forced => *progress,
                });
            }
        }
        // Each step is written down before the next: none is done over because a later one was cut off.
        if !keep(ctx, operation).await? {
            return overtaken(ctx, ports, operation.id, &task).await;
        }
        if task.step == RetireStep::HandOver {
            return hand_over(ctx, operation, worker, &task).await;
        }
        match standing(ctx, operation, worker.id).await? {
            Standing::GoesOn => {}
            Standing::Forced => return hand_over(ctx, operation, worker, &task).await,
            Standing::Over(why) => return Ok(Progress::failed(SUPERSEDED, why)),
        }
        if ctx.machine_clock.now().duration_since(begun) >= RUN_FOR {
            return Ok(Progress::Waiting(waiting_for(&task), ctx.now()));
        }
    }
}

/// What others made of this end meanwhile.
enum Standing {
    /// Nothing.
    GoesOn,
    /// Somebody had the worker terminated with all that is on it.
    Forced,
    /// It is over, for that reason.
    Over(String),
}

async fn standing(ctx: &Context, operation: &Operation, id: WorkerId) -> Result<Standing, AppError> {
    let Some(ending) = ctx.store.ending(id).await? else { return Ok(Standing::GoesOn) };
    let is_this = ending.operation_id == operation.id;
    Ok(match ending.stage {
        EndingStage::TakenBack if is_this => Standing::Over(TAKEN_BACK.into()),
        _ if is_this => Standing::GoesOn,
        _ if ctx.store.worker(id).await?.desired == DesiredState::Terminated => Standing::Forced,
        // It had been taken back before.
        _ => Standing::Over(format!("It was taken back, and overtaken by operation {}.", ending.operation_id)),
    })
}

/// Another run wrote first. Where that ended the operation, because it was taken back, what this run did at the
/// controller meanwhile is undone as well, and told.
async fn overtaken(
    ctx: &Context,
    ports: CmlPorts<'_>,
    id: OperationId,
    task: &RetireTask,
) -> Result<Progress, AppError> {
    let mut ended = ctx.store.operation(id).await?;
    let taken_back = ended.error.as_ref().is_some_and(|error| error.code == SUPERSEDED);
    if let (Task::RetireWorker(_), Some(at), true) = (&ended.task, ended.finished_at, taken_back) {
        note(&mut ended, task);
        called_off(ctx, ports, &mut ended, task).await;
        ctx.store.save_operation(&mut ended, at, ctx.settings.operation_retention).await?;
    }
    Ok(Progress::Overtaken)
}

/// How far the operation is, and what it has saved, whatever becomes of it.
fn note(operation: &mut Operation, task: &RetireTask) {
    if let (Some(said), Some(worker)) = (saved(task), operation.target) {
        let result = operation
            .result
            .get_or_insert_with(|| OperationResult { worker_id: Some(worker), ..OperationResult::default() });
        result.detail = Some(format!("{said} before: GET /api/backups?worker_id={worker}."));
    }
    operation.task = Task::RetireWorker(task.clone());
}

/// What is saved, in words; null when nothing is.
fn saved(task: &RetireTask) -> Option<String> {
    match task.saved.len() {
        0 => None,
        1 => Some("1 lab was saved".into()),
        count => Some(format!("{count} labs were saved")),
    }
}

/// What the next step is, in words.
fn waiting_for(task: &RetireTask) -> String {
    match task.step {
        RetireStep::Notify => "people in CML to be told".into(),
        RetireStep::List => "its labs to be listed".into(),
        RetireStep::BackUp => format!("{} labs to be saved", task.labs.len()),
        RetireStep::StopLabs => "its labs to be stopped".into(),
        RetireStep::AwaitNodes => "its nodes to stop".into(),
        RetireStep::Deregister => "its licence to be given back".into(),
        RetireStep::LookAgain => "its labs to be looked at once more".into(),
        RetireStep::HandOver => "EC2 to terminate it".into(),
    }
}

/// What holds it, if anything does.
async fn brake(ctx: &Context, task: &RetireTask) -> Result<Option<Progress>, AppError> {
    if !ctx.settings.safe_mode {
        return frozen(ctx).await;
    }
    let done = match saved(task) {
        Some(said) => format!("it goes no further. {said}, and the worker is not terminated."),
        None if task.step <= RetireStep::List => "nothing was saved, stopped or terminated.".into(),
        None => "it goes no further. The worker is not terminated.".into(),
    };
    Ok(Some(Progress::failed(SAFE_MODE, format!("SAFE_MODE is on: {done}"))))
}

/// Where its machine was ended by others, what was still to be saved is lost.
fn warn_of_loss(operation: &mut Operation, worker: &Worker, task: &RetireTask) {
    use WorkerStatus::{Failed, Terminated, Terminating};
    let gone = worker.instance.is_some() && matches!(worker.status, Failed | Terminated | Terminating);
    if gone && task.step != RetireStep::HandOver {
        operation.warn("Its instance was gone before it was known that all on it is saved, and its seats given back.");
    }
}

/// What it means that the controller cannot be asked.
async fn without_way(
    ctx: &Context,
    operation: &mut Operation,
    worker: &Worker,
    task: &RetireTask,
    no_way: NoWay,
) -> Result<Progress, AppError> {
    if nothing_to_save(ctx, worker).await? {
        warn_of_loss(operation, worker, task);
        return hand_over(ctx, operation, worker, task).await;
    }
    let name = worker.status.name();
    let comes_up = matches!(
        worker.status,
        WorkerStatus::Pending | WorkerStatus::Provisioning | WorkerStatus::Starting | WorkerStatus::Unknown
    );
    let what = match no_way {
        NoWay::NoContact(what) => what,
        NoWay::NotRunning(_) if comes_up => format!("the worker, which is {name}, to run: what is on it is saved then"),
        NoWay::NotRunning(_) => {
            let message = format!(
                "The worker is {name}, and may have labs or a licence, which can only be saved while it runs. Start \
                 it first."
            );
            return Ok(Progress::failed("not_running", message));
        }
        no_way => return Ok(no_way.progress(ctx)),
    };
    if has_answered(ctx, worker).await? {
        return Ok(Progress::waiting(ctx, what));
    }
    let asked_at = operation.requested_at;
    let until = worker.running_since.map_or(asked_at, |since| since.max(asked_at)) + FIRST_CONTACT_WITHIN;
    no_contact(ctx, operation, worker, task, (what, until)).await
}

/// CML never answered. On a machine that we launched there is nothing then; what is on another one nobody knows.
/// Nor is a launch that never comes up waited for without end.
async fn no_contact(
    ctx: &Context,
    operation: &mut Operation,
    worker: &Worker,
    task: &RetireTask,
    (what, until): (String, Timestamp),
) -> Result<Progress, AppError> {
    if ctx.now() < until {
        return Ok(Progress::Waiting(what, until.min(ctx.now() + LOOK_AGAIN_AFTER)));
    }
    let minutes = FIRST_CONTACT_WITHIN.as_mins();
    if worker.imported {
        let message = format!(
            "Its controller was not reachable for {minutes} minutes, and nobody knows what is on it. See that it can \
             be reached."
        );
        return Ok(Progress::failed("not_reachable", message));
    }
    operation.warn(format!(
        "CML never answered since the instance was launched, and for {minutes} minutes now: nothing was saved, and no \
         seats were given back."
    ));
    hand_over(ctx, operation, worker, task).await
}

/// Everything is saved: the worker is wished gone, and the operation goes on as its termination.
async fn hand_over(
    ctx: &Context,
    operation: &mut Operation,
    worker: &Worker,
    task: &RetireTask,
) -> Result<Progress, AppError> {
    if !wish_gone(ctx, operation, worker.id, &task.reason).await? {
        return Ok(Progress::failed(SUPERSEDED, TAKEN_BACK));
    }
    operation.task = Task::TerminateWorker;
    // However long saving took, the instance has the time that instances have.
    operation.expires_at = operation.expires_at.max(ctx.now() + operation.task.time_allowed());
    Ok(Progress::Waiting("EC2 to terminate it".into(), ctx.now()))
}

/// Wishes the worker gone, and notes in the record of that wish that this operation sees to it: what comes of it is
/// counted for the wish, and nothing else is begun for it. False where the end was taken back just before.
async fn wish_gone(ctx: &Context, operation: &Operation, id: WorkerId, reason: &str) -> Result<bool, AppError> {
    let wish = Command::Want { desired: DesiredState::Terminated, reason: reason.into() };
    for _ in 0..ATTEMPTS {
        let worker = ctx.store.worker(id).await?;
        if worker.is_over() {
            return Ok(true);
        }
        let ending = ctx.store.ending(id).await?.filter(|ending| ending.operation_id == operation.id);
        if ending.is_some_and(|ending| ending.stage == EndingStage::TakenBack) {
            return Ok(false);
        }
        let begun = ending.filter(|ending| ending.stage == EndingStage::Begun);
        let handed_over = begun.map(|ending| Ending { stage: EndingStage::HandedOver, ..ending });
        let now = ctx.now();
        let change = Change::of(&worker, command(&worker, &wish)?, operation.requested_by.clone(), now);
        let number = change.as_ref().map_or(&worker, |change| &change.worker).wish.number;
        let due = PowerDue::hurried(id, ctx.store.power(id).await?, now);
        let record = due.record.clone().for_wish(number).awaits(Action::Terminate, operation.id, now);
        let commit = Commit {
            unchanged: change.is_none().then_some((id, worker.version)),
            change,
            power: Some(due.with_record(record)),
            ending: handed_over.map(|ending| EndingChange::Is(id, ending)),
            ..Commit::default()
        };
        match ctx.store.commit(&commit, ctx.settings.operation_retention).await {
            Err(CommitError::WorkerChanged | CommitError::Contended) => {}
            other => return other.map(|()| true).map_err(into_app_error),
        }
    }
    Err(AppError::Busy(id))
}

/// It ended without the worker's end: people in CML are told no longer, as far as that can be done, and whoever
/// asked is told what is left.
pub(super) async fn called_off(ctx: &Context, ports: CmlPorts<'_>, operation: &mut Operation, task: &RetireTask) {
    if task.deregistered {
        operation.warn("Its licence was given back already: register it again to go on with it.");
    }
    let another = restart_labs(ctx, operation, task).await.unwrap_or_else(|error| {
        tracing::warn!(operation_id = %operation.id, %error, "what is left of an end is left to the next readings");
        false
    });
    // Force would not help against a brake, and is not asked for by whoever took it back.
    let helps = |code: &str| code != SAFE_MODE && code != SUPERSEDED;
    if let Some(error) = operation.error.as_mut().filter(|error| helps(&error.code)) {
        error.message = format!("{} {FORCE}", error.message);
    }
    if task.step > RetireStep::Notify
        && !another
        && !ctx.settings.safe_mode
        && let Err(why) = withdraw_notice(ctx, ports, operation).await
    {
        tracing::warn!(operation_id = %operation.id, why, "the notice of the end stays in CML");
        operation.warn(format!("The notice of its end may still be shown in CML: {why}"));
    }
}

/// Has labs that were stopped for nothing read and judged soon. Whether another end has been begun meanwhile: then they
/// stay as they are, and so does the notice.
async fn restart_labs(ctx: &Context, operation: &mut Operation, task: &RetireTask) -> Result<bool, AppError> {
    let Some(id) = operation.target else { return Ok(false) };
    let another = ctx.store.ending(id).await?.is_some_and(|ending| ending.operation_id != operation.id);
    if !task.stopped.is_empty() && !another {
        operation.warn(format!(
            "{} of its labs were stopped. Those that somebody started here are started again as soon as it is wanted \
             running; start the others.",
            task.stopped.len()
        ));
        ctx.store.save_labs_due(id, ctx.now() + LOOK_AGAIN_AFTER).await?;
    }
    Ok(another)
}

async fn withdraw_notice(ctx: &Context, ports: CmlPorts<'_>, operation: &Operation) -> Result<(), String> {
    let Some(id) = operation.target else { return Ok(()) };
    let worker = ctx.store.worker(id).await.map_err(|error| error.to_string())?;
    let way = reach(ctx, ports.secrets, &worker).await.map_err(|error| error.to_string())?;
    let way = way.map_err(|no_way| no_way.message().to_owned())?;
    notice::show(ports, &way, NOTICE, None).await.map_err(|error| error.to_string())
}
