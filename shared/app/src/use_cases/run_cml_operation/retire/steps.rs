//! The steps at the controller. Each looks first, and may be repeated.

use domain::lab::{LabLook, LabState};
use domain::operation::Operation;
use domain::operation::cml::BackUpLabTask;
use domain::operation::retire::{RetireStep, RetireTask};
use domain::worker::Worker;
use domain::{BackupId, LabId};
use futures::{StreamExt, TryStreamExt};

use super::NOTICE;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, LabListing};
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::Progress;
use crate::use_cases::run_cml_operation::back_up_lab::{look, save_lab};
use crate::use_cases::run_cml_operation::license::give_back;
use crate::use_cases::run_cml_operation::notice;

/// Labs stopped at the same time.
const STOPPED_AT_ONCE: usize = 10;
/// How often one lab is saved, when it is changed again each time.
const SAVES_MAX: u32 = 5;
/// What CML says when nodes keep it from giving a licence back. Source: a recording of CML's refusals.
const NODES_RUN: &str = "nodes are running";
/// CML's word for a registration that stands.
const COMPLETED: &str = "COMPLETED";

/// Whether a run goes on.
pub(super) enum Next {
    /// With the step that the task now says.
    Step,
    /// Not in this run.
    Stop(Box<Progress>),
}

fn stop(progress: Progress) -> Next {
    Next::Stop(Box::new(progress))
}

pub(super) struct Retirement<'a> {
    pub(super) ctx: &'a Context,
    pub(super) ports: CmlPorts<'a>,
    pub(super) way: &'a Way,
    pub(super) worker: &'a Worker,
}

impl Retirement<'_> {
    pub(super) async fn step(&self, operation: &mut Operation, task: &mut RetireTask) -> Result<Next, AppError> {
        let next = match task.step {
            RetireStep::Notify => self.notify(operation, task).await,
            RetireStep::List => self.list(task).await,
            RetireStep::BackUp => return self.back_up(operation, task).await,
            RetireStep::StopLabs => self.stop_labs(task).await,
            RetireStep::AwaitNodes => self.await_nodes(task).await,
            RetireStep::Deregister => return self.deregister(operation, task).await,
            RetireStep::LookAgain => self.look_again(task).await,
            RetireStep::HandOver => Ok(Next::Step),
        };
        // A call that changed something and has no answer is made again.
        Ok(next.unwrap_or_else(|error| stop(failed_call(self.ctx, &error))))
    }

    /// Before anything is saved: whoever works on goes on at their own risk.
    async fn notify(&self, operation: &mut Operation, task: &mut RetireTask) -> Result<Next, CmlError> {
        let content = format!(
            "{} Its labs are being saved, and stopped after that; what is done in them from now on may be lost. \
             Whoever manages CML Cloud Manager can restore them on another worker.",
            task.reason
        );
        match notice::show(self.ports, self.way, NOTICE, Some(&content)).await {
            Err(error) if error.retryable() || error.outcome_unknown() => return Err(error),
            // That CML shows no notice is no reason to keep a worker that nobody wants.
            Err(error) => operation.warn(format!("People in CML could not be told: {}", error.message)),
            Ok(()) => {}
        }
        task.step = RetireStep::List;
        Ok(Next::Step)
    }

    async fn list(&self, task: &mut RetireTask) -> Result<Next, CmlError> {
        let listing = self.labs().await?;
        task.labs = task.unsaved(&looks(&listing));
        task.step = RetireStep::BackUp;
        Ok(Next::Step)
    }

    async fn labs(&self) -> Result<LabListing, CmlError> {
        self.ports.controllers.labs(self.way.access()).await
    }

    /// One lab. As which backup is written down before it is begun, so that it never becomes two.
    async fn back_up(&self, operation: &mut Operation, task: &mut RetireTask) -> Result<Next, AppError> {
        let Some(lab) = task.labs.first().cloned() else {
            task.step = RetireStep::StopLabs;
            return Ok(Next::Step);
        };
        let Some(saving) = &mut task.saving else {
            let times = task.times_saved(&lab);
            if times >= SAVES_MAX {
                let message = format!("Lab {lab} was changed again after each of the {times} times that it was saved.");
                return Ok(stop(Progress::failed("lab_changes", message)));
            }
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
                task.is_saved(backup.lab_id, backup.id, backup.lab_look);
            }
            Err(Progress::Failed(code, message)) => match self.ports.controllers.lab_ids(self.way.access()).await {
                // Somebody deleted it meanwhile: there is nothing left of it to save.
                Ok(ids) if !ids.iter().any(|id| id == lab.as_str()) => {}
                Ok(_) => return Ok(stop(Progress::Failed(code, format!("Lab {lab} could not be saved: {message}")))),
                Err(error) => return Ok(stop(failed_call(ctx, &error))),
            },
            Err(progress) => return Ok(stop(progress)),
        }
        task.labs.retain(|one| *one != lab);
        task.saving = None;
        Ok(Next::Step)
    }

    /// Back to saving or stopping, where a lab is new, was changed, or runs.
    async fn unfinished(&self, task: &mut RetireTask) -> Result<Option<RetireStep>, CmlError> {
        let listing = self.labs().await?;
        let unsaved = task.unsaved(&looks(&listing));
        if !unsaved.is_empty() {
            task.labs = unsaved;
            return Ok(Some(RetireStep::BackUp));
        }
        Ok((!running(&listing).is_empty()).then_some(RetireStep::StopLabs))
    }

    /// Every lab that runs. One that was made or changed meanwhile is saved before.
    async fn stop_labs(&self, task: &mut RetireTask) -> Result<Next, CmlError> {
        let listing = self.labs().await?;
        let unsaved = task.unsaved(&looks(&listing));
        if !unsaved.is_empty() {
            task.labs = unsaved;
            task.step = RetireStep::BackUp;
            return Ok(Next::Step);
        }
        let running = running(&listing);
        // That we stop them is written down before, so that our own stop is not taken for somebody's work.
        if task.begin_stopping(&running) {
            return Ok(Next::Step);
        }
        let mut stops = Vec::with_capacity(running.len());
        for lab in &running {
            stops.push(self.stop_lab(lab));
        }
        futures::stream::iter(stops).buffer_unordered(STOPPED_AT_ONCE).try_collect::<Vec<()>>().await?;
        task.step = RetireStep::AwaitNodes;
        Ok(Next::Step)
    }

    async fn stop_lab(&self, lab: &LabId) -> Result<(), CmlError> {
        match self.ports.controllers.stop_lab(self.way.access(), lab.as_str()).await {
            Err(error) if error.status == Some(404) => Ok(()),
            other => other,
        }
    }

    async fn await_nodes(&self, task: &mut RetireTask) -> Result<Next, CmlError> {
        match self.running_nodes().await? {
            Some(0) => {
                task.step = RetireStep::Deregister;
                Ok(Next::Step)
            }
            Some(nodes) => {
                // Somebody may have started one again.
                task.step = RetireStep::StopLabs;
                Ok(stop(Progress::waiting(self.ctx, format!("{nodes} nodes to stop"))))
            }
            None => Ok(stop(Progress::waiting(self.ctx, "CML to tell how many nodes run"))),
        }
    }

    async fn running_nodes(&self) -> Result<Option<u32>, CmlError> {
        let statistics = self.ports.controllers.statistics(self.way.access()).await?;
        let counts: Option<Vec<u32>> = statistics.computes.iter().map(|compute| compute.running_nodes).collect();
        Ok(counts.filter(|counts| !counts.is_empty()).map(|counts| counts.iter().sum()))
    }

    async fn deregister(&self, operation: &mut Operation, task: &mut RetireTask) -> Result<Next, AppError> {
        match self.unfinished(task).await {
            Ok(None) => {}
            Ok(Some(step)) => {
                task.step = step;
                return Ok(Next::Step);
            }
            Err(error) => return Ok(stop(failed_call(self.ctx, &error))),
        }
        Ok(match give_back(self.ctx, self.ports, self.way, operation).await? {
            Ok(()) => {
                task.deregistered = true;
                task.step = RetireStep::LookAgain;
                Next::Step
            }
            // Somebody was faster.
            Err(Progress::Failed(_, message)) if message.contains(NODES_RUN) => {
                task.step = RetireStep::StopLabs;
                stop(Progress::waiting(self.ctx, "nodes to stop that somebody started"))
            }
            Err(progress) => stop(progress),
        })
    }

    /// The last look, before nothing can be saved any more.
    async fn look_again(&self, task: &mut RetireTask) -> Result<Next, CmlError> {
        if let Some(step) = self.unfinished(task).await? {
            task.step = step;
            return Ok(Next::Step);
        }
        let status = self.ports.controllers.licensing(self.way.access()).await?;
        // A registration that was under way came true.
        if status.registration.status.as_deref() == Some(COMPLETED) {
            task.step = RetireStep::Deregister;
            return Ok(stop(Progress::waiting(self.ctx, "its licence, which was registered again, to be given back")));
        }
        task.step = RetireStep::HandOver;
        Ok(Next::Step)
    }
}

/// What CML lists, and how it shows it; null for what could not be read.
fn looks(listing: &LabListing) -> Vec<(LabId, Option<LabLook>)> {
    let read = listing.labs.iter().map(|lab| (&lab.id, Some(look(lab))));
    let all = read.chain(listing.unread.iter().map(|(id, _)| (id, None)));
    all.filter_map(|(id, look)| Some((id.parse().ok()?, look))).collect()
}

fn running(listing: &LabListing) -> Vec<LabId> {
    let started = listing.labs.iter().filter(|lab| look(lab).state == Some(LabState::Started));
    started.filter_map(|lab| lab.id.parse().ok()).collect()
}
