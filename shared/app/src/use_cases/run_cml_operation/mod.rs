//! Take an operation at a CML controller one step further. It re-reads everything, does bounded work and
//! returns; what it waits for is looked at again when the operation is next due.

mod act_on_lab;
mod back_up_lab;
mod evidence;
mod import_lab;
mod license;
mod notice;
mod refresh_labs;
mod retire;

use async_trait::async_trait;
use domain::OperationId;
use domain::evidence::Evidence;
use domain::operation::cml::{ImportLabTask, LabSource};
use domain::operation::evidence::{Wanted, wanted};
use domain::operation::{Operation, Task};
use domain::worker::Worker;

use super::controller::{CmlPorts, NoWay, reach};
use super::evidence::{Failed, kept};
use super::import_lab::forget_topology;
use super::lab_access::being_ended;
use super::operation_run::{Progress, Steps, run};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Queue;

pub(super) use act_on_lab::is_no_lab;

/// Runs one operation at a controller. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_cml_operation(ctx: &Context, ports: CmlPorts<'_>, id: OperationId) -> Result<(), AppError> {
    run(ctx, Queue::CmlOperations, id, &AtController(ports)).await
}

struct AtController<'a>(CmlPorts<'a>);

/// What it means that the controller cannot be asked. An import that was begun may have left a lab there, half made:
/// it is finished if the worker runs again in time.
fn closed(ctx: &Context, task: &Task, worker: &Worker, no_way: NoWay) -> Progress {
    let begun = matches!(task, Task::ImportLab(ImportLabTask { asked_at: Some(_), .. }));
    match no_way {
        NoWay::NotRunning(_) if begun && !worker.status.is_final() => {
            let status = worker.status.name();
            Progress::waiting(ctx, format!("the worker to run again, which is {status}; a lab on it may be half made"))
        }
        no_way => no_way.progress(ctx),
    }
}

#[async_trait]
impl Steps for AtController<'_> {
    async fn advance(&self, ctx: &Context, operation: &mut Operation) -> Result<Progress, AppError> {
        let Some(id) = operation.target else {
            return Ok(Progress::failed("no_target", "The operation names no worker."));
        };
        let worker = ctx.store.worker(id).await?;
        let ports = self.0;
        let task = operation.task.clone();
        // Only the end of a worker goes on without its controller: there may be nothing to save.
        if let Task::RetireWorker(task) = task {
            return retire::advance(ctx, ports, operation, &worker, task).await;
        }
        // What is done from now on would be lost with the worker.
        if let Some(why) = being_ended(ctx, &worker).await? {
            return Ok(Progress::failed("worker_ending", format!("It was not done: {why}.")));
        }
        let way = match reach(ctx, ports.secrets, &worker).await? {
            Ok(way) => way,
            Err(no_way) => return Ok(closed(ctx, &task, &worker, no_way)),
        };
        match task {
            Task::RefreshLabs => refresh_labs::advance(ctx, ports, &way, operation, &worker).await,
            Task::ActOnLab(task) => act_on_lab::advance(ctx, ports, &way, operation, &worker, task).await,
            Task::ImportLab(task) => import_lab::advance(ctx, ports, &way, operation, &worker, task).await,
            Task::BackUpLab(task) => back_up_lab::advance(ctx, ports, &way, operation, &worker, task).await,
            Task::RegisterLicense(task) => license::register(ctx, ports, &way, operation, task).await,
            Task::RenewLicense(task) => license::renew(ctx, ports, &way, operation, task).await,
            Task::DeregisterLicense => license::deregister(ctx, ports, &way, operation).await,
            Task::PostNotice(task) => notice::advance(ctx, ports, &way, operation, &task).await,
            other => Ok(Progress::failed("not_for_cml", format!("{} is not done at a controller.", other.kind()))),
        }
    }

    async fn tidy_up(&self, ctx: &Context, operation: &mut Operation) -> Result<(), AppError> {
        match &operation.task {
            Task::RegisterLicense(task) => {
                self.0.secrets.delete_token(&task.token_ref).await.map_err(AppError::Unavailable)
            }
            Task::ImportLab(ImportLabTask { from: LabSource::Topology(key), .. }) => {
                forget_topology(self.0.files, key).await;
                Ok(())
            }
            Task::RetireWorker(task) => {
                let task = task.clone();
                retire::called_off(ctx, self.0, operation, &task).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn document(&self, ctx: &Context, operation: &Operation, failed: &Failed) -> Vec<Evidence> {
        let Some(Wanted::Lab { lab, booting }) = wanted(operation) else { return vec![] };
        let way = async {
            let worker = ctx.store.worker(failed.worker_id).await?;
            Ok::<_, AppError>(reach(ctx, self.0.secrets, &worker).await?.map(|way| (worker, way)))
        };
        match way.await {
            Ok(Ok((worker, way))) => evidence::of_lab(ctx, self.0, &way, &worker, failed, (lab, booting)).await,
            Ok(Err(no_way)) => {
                tracing::info!(operation_id = %operation.id, why = no_way.message(), "no evidence can be had");
                vec![]
            }
            Err(error) => kept(failed.worker_id, Err(error)).into_iter().collect(),
        }
    }
}
