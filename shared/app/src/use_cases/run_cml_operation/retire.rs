//! Save what is on a worker, give its seats back, and then terminate it.

use domain::operation::cml::{BackUpLabTask, RetireStep, RetireTask};
use domain::operation::{Operation, Task};
use domain::worker::{Command, DesiredState, Worker, command::command};
use domain::{BackupId, LabId, SignedDuration};
use futures::{StreamExt, TryStreamExt};

use super::back_up_lab::save_lab;
use super::license::give_back;
use super::notice;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlState, LabListing};
use crate::use_cases::change::change;
use crate::use_cases::controller::{CmlPorts, NoWay, Way, failed_call, reach};
use crate::use_cases::operation_run::{Progress, keep};
use crate::use_cases::retire_worker::nothing_to_save;

/// For so long one run begins another step or another lab; the next run goes on. Machine time.
const RUN_FOR: SignedDuration = SignedDuration::from_secs(20);
/// Labs stopped at the same time.
const STOPPED_AT_ONCE: usize = 10;
/// The notice's headline.
const NOTICE: &str = "This worker is about to be terminated";
/// What helps where a step cannot be done.
const FORCE: &str = "Or terminate it with force and a reason: then what is on it is lost, and its seats stay taken.";

/// Whether a run goes on.
enum Next {
    /// With the step that the task now says.
    Step,
    /// Not in this run.
    Stop(Box<Progress>),
    /// All is saved.
    Saved,
}

fn stop(progress: Progress) -> Next {
    Next::Stop(Box::new(progress))
}

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    operation: &mut Operation,
    worker: &Worker,
    mut task: RetireTask,
) -> Result<Progress, AppError> {
    // Wanted gone by now: by this operation, which was cut off after its wish, or by force.
    if worker.desired == DesiredState::Terminated || worker.status.is_final() {
        return hand_over(ctx, operation, worker, &task).await;
    }
    if let Some(held) = brake(ctx).await? {
        return Ok(held);
    }
    let way = match reach(ctx, ports.secrets, worker).await? {
        Ok(way) => way,
        Err(_) if nothing_to_save(ctx, worker).await? => return hand_over(ctx, operation, worker, &task).await,
        Err(NoWay::NotRunning(_)) => {
            let status = worker.status.name();
            let message = format!(
                "The worker is {status}, and has labs or a licence that can only be saved while it runs. Start it \
                 first. {FORCE}"
            );
            return Ok(Progress::failed("not_running", message));
        }
        Err(no_way) => return Ok(no_way.progress(ctx)),
    };
    let retirement = Retirement { ctx, ports, way: &way, worker };
    let begun = ctx.machine_clock.now();
    loop {
        match retirement.step(operation, &mut task).await? {
            Next::Step => operation.task = Task::RetireWorker(task.clone()),
            Next::Stop(progress) => {
                operation.task = Task::RetireWorker(task);
                return Ok(*progress);
            }
            Next::Saved => return hand_over(ctx, operation, worker, &task).await,
        }
        // Each step is written down before the next: none is done over because a later one was cut off.
        if !keep(ctx, operation).await? {
            return Ok(Progress::Overtaken);
        }
        if ctx.machine_clock.now().duration_since(begun) >= RUN_FOR {
            return Ok(Progress::Waiting(waiting_for(&task), ctx.now()));
        }
    }
}

/// What the next step is, in words.
fn waiting_for(task: &RetireTask) -> String {
    match task.step {
        RetireStep::List => "its labs to be listed".into(),
        RetireStep::BackUp => format!("{} labs to be saved", task.labs.len()),
        RetireStep::Notify => "people in CML to be told".into(),
        RetireStep::StopLabs => "its labs to be stopped".into(),
        RetireStep::AwaitNodes => "its nodes to stop".into(),
        RetireStep::Deregister => "its licence to be given back".into(),
    }
}

/// Everything is saved: the worker is wished gone, and the operation goes on as its termination.
async fn hand_over(
    ctx: &Context,
    operation: &mut Operation,
    worker: &Worker,
    task: &RetireTask,
) -> Result<Progress, AppError> {
    let wish = Command::Want { desired: DesiredState::Terminated, reason: task.reason.clone() };
    change(ctx, worker.id, &operation.requested_by, |worker| {
        if worker.status.is_final() { Ok(vec![]) } else { Ok(command(worker, &wish)?) }
    })
    .await?;
    if !task.saved.is_empty() {
        let (count, labs) = (task.saved.len(), if task.saved.len() == 1 { "lab was" } else { "labs were" });
        let detail = format!("{count} {labs} saved before: GET /api/backups?worker_id={}.", worker.id);
        operation.result.get_or_insert_default().detail = Some(detail);
    }
    operation.task = Task::TerminateWorker;
    // However long saving took, the instance has the time that instances have.
    operation.expires_at = operation.expires_at.max(ctx.now() + operation.task.time_allowed());
    Ok(Progress::Waiting("EC2 to terminate it".into(), ctx.now()))
}

/// What holds it, if anything does.
async fn brake(ctx: &Context) -> Result<Option<Progress>, AppError> {
    if ctx.settings.safe_mode {
        let message = "SAFE_MODE is on: nothing was saved, stopped or terminated.";
        return Ok(Some(Progress::failed("safe_mode", message)));
    }
    let fleet = ctx.store.fleet_state().await?;
    Ok(fleet.frozen_since.map(|_| {
        let why = fleet.frozen_reason.unwrap_or_default();
        Progress::waiting(ctx, format!("the fleet to be released from frozen mode ({why})"))
    }))
}

struct Retirement<'a> {
    ctx: &'a Context,
    ports: CmlPorts<'a>,
    way: &'a Way,
    worker: &'a Worker,
}

impl Retirement<'_> {
    async fn step(&self, operation: &mut Operation, task: &mut RetireTask) -> Result<Next, AppError> {
        match task.step {
            RetireStep::List => Ok(self.list(task).await),
            RetireStep::BackUp => self.back_up(operation, task).await,
            RetireStep::Notify => Ok(self.notify(operation, task).await),
            RetireStep::StopLabs => Ok(self.stop_labs(task).await),
            RetireStep::AwaitNodes => Ok(self.await_nodes(task).await),
            RetireStep::Deregister => Ok(match give_back(self.ctx, self.ports, self.way, operation).await? {
                Ok(()) => Next::Saved,
                Err(progress) => stop(progress),
            }),
        }
    }

    async fn list(&self, task: &mut RetireTask) -> Next {
        match self.ports.controllers.labs(self.way.access()).await {
            Ok(listing) => {
                task.labs = unsaved(&listing, task);
                task.step = RetireStep::BackUp;
                Next::Step
            }
            Err(error) => self.failed(&error),
        }
    }

    /// One lab. As which backup is written down before it is begun, so that it never becomes two.
    async fn back_up(&self, operation: &mut Operation, task: &mut RetireTask) -> Result<Next, AppError> {
        let Some(lab) = task.labs.first().cloned() else {
            task.step = RetireStep::Notify;
            return Ok(Next::Step);
        };
        let Some(saving) = &mut task.saving else {
            let backup = BackupId::new(self.ctx.now(), self.ctx.random.next());
            task.saving = Some(BackUpLabTask::new(lab, backup));
            return Ok(Next::Step);
        };
        let (ctx, by) = (self.ctx, operation.requested_by.clone());
        match save_lab(ctx, self.ports, self.way, self.worker, &by, saving).await? {
            Ok(backup) => {
                for (node, why) in &backup.not_extracted {
                    let title = &backup.title;
                    operation.warn(format!("Lab {title}: what ran on {node} could not be saved: {why}"));
                }
                task.saved.push((backup.lab_id, backup.id));
            }
            Err(Progress::Failed(code, message)) => match self.ports.controllers.lab_ids(self.way.access()).await {
                // Somebody deleted it meanwhile: there is nothing left of it to save.
                Ok(ids) if !ids.iter().any(|id| id == lab.as_str()) => {}
                Ok(_) => {
                    let message = format!("Lab {lab} could not be saved: {message} {FORCE}");
                    return Ok(stop(Progress::Failed(code, message)));
                }
                Err(error) => return Ok(self.failed(&error)),
            },
            Err(progress) => return Ok(stop(progress)),
        }
        task.labs.retain(|one| *one != lab);
        task.saving = None;
        Ok(Next::Step)
    }

    async fn notify(&self, operation: &mut Operation, task: &mut RetireTask) -> Next {
        let content = format!(
            "{} Its labs were saved and are being stopped; what is changed from now on is lost. Whoever manages \
             CML Cloud Manager can restore them on another worker.",
            task.reason
        );
        match notice::show(self.ports, self.way, NOTICE, Some(&content)).await {
            Err(error) if error.retryable() || error.outcome_unknown() => return self.failed(&error),
            // That CML shows no notice is no reason to keep a worker that nobody wants.
            Err(error) => operation.warn(format!("People in CML could not be told: {}", error.message)),
            Ok(()) => {}
        }
        task.step = RetireStep::StopLabs;
        Next::Step
    }

    /// Every lab that runs. One that was made meanwhile is saved before.
    async fn stop_labs(&self, task: &mut RetireTask) -> Next {
        let listing = match self.ports.controllers.labs(self.way.access()).await {
            Ok(listing) => listing,
            Err(error) => return self.failed(&error),
        };
        let new = unsaved(&listing, task);
        if !new.is_empty() {
            task.labs = new;
            task.step = RetireStep::BackUp;
            return Next::Step;
        }
        let started = listing.labs.into_iter().filter(|lab| lab.state == Some(CmlState::Started));
        let stops = started.map(|lab| async move {
            match self.ports.controllers.stop_lab(self.way.access(), &lab.id).await {
                Err(error) if error.status == Some(404) => Ok(()),
                other => other,
            }
        });
        let stopped: Result<Vec<()>, CmlError> =
            futures::stream::iter(stops).buffer_unordered(STOPPED_AT_ONCE).try_collect().await;
        if let Err(error) = stopped {
            return self.failed(&error);
        }
        task.step = RetireStep::AwaitNodes;
        Next::Step
    }

    async fn await_nodes(&self, task: &mut RetireTask) -> Next {
        let statistics = match self.ports.controllers.statistics(self.way.access()).await {
            Ok(statistics) => statistics,
            Err(error) => return self.failed(&error),
        };
        let counts: Option<Vec<u32>> = statistics.computes.iter().map(|compute| compute.running_nodes).collect();
        match counts.filter(|counts| !counts.is_empty()).map(|counts| counts.iter().sum::<u32>()) {
            Some(0) => {
                task.step = RetireStep::Deregister;
                Next::Step
            }
            Some(nodes) => {
                // Somebody may have started one again.
                task.step = RetireStep::StopLabs;
                stop(Progress::waiting(self.ctx, format!("{nodes} nodes to stop")))
            }
            None => stop(Progress::waiting(self.ctx, "CML to tell how many nodes run")),
        }
    }

    /// A call that changed something and has no answer is made again: each step looks, or may be repeated.
    fn failed(&self, error: &CmlError) -> Next {
        stop(match failed_call(self.ctx, error) {
            Progress::Failed(code, message) => Progress::Failed(code, format!("{message} {FORCE}")),
            other => other,
        })
    }
}

/// The labs that are not saved yet, those too of which only the id could be read.
fn unsaved(listing: &LabListing, task: &RetireTask) -> Vec<LabId> {
    let listed = listing.labs.iter().map(|lab| &lab.id).chain(listing.unread.iter().map(|(id, _)| id));
    let ids = listed.filter_map(|id| id.parse::<LabId>().ok());
    ids.filter(|id| !task.saved.iter().any(|(saved, _)| saved == id)).collect()
}
