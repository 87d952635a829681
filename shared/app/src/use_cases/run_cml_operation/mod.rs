//! Take an operation at a CML controller one step further. It re-reads everything, does bounded work and
//! returns; what it waits for is looked at again when the operation is next due.

mod act_on_lab;
mod back_up_lab;
mod import_lab;
mod license;
mod notice;
mod refresh_labs;
mod retire;

use async_trait::async_trait;
use domain::OperationId;
use domain::operation::cml::{ImportLabTask, LabSource};
use domain::operation::{Operation, Task};

use super::controller::{CmlPorts, reach};
use super::import_lab::forget_topology;
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
        let way = match reach(ctx, ports.secrets, &worker).await? {
            Ok(way) => way,
            Err(no_way) => return Ok(no_way.progress(ctx)),
        };
        match task {
            Task::RefreshLabs => refresh_labs::advance(ctx, ports, &way, operation, &worker).await,
            Task::ActOnLab(task) => act_on_lab::advance(ctx, ports, &way, operation, &worker, task).await,
            Task::ImportLab(task) => import_lab::advance(ctx, ports, &way, operation, &worker, task).await,
            Task::BackUpLab(task) => back_up_lab::advance(ctx, ports, &way, operation, &worker, task).await,
            Task::RegisterLicense(task) => license::register(ctx, ports, &way, operation, task).await,
            Task::RenewLicense => license::renew(ctx, ports, &way, operation).await,
            Task::DeregisterLicense => license::deregister(ctx, ports, &way, operation).await,
            Task::PostNotice(task) => notice::advance(ctx, ports, &way, operation, &task).await,
            other => Ok(Progress::failed("not_for_cml", format!("{} is not done at a controller.", other.kind()))),
        }
    }

    async fn tidy_up(&self, _: &Context, operation: &Operation) -> Result<(), AppError> {
        match &operation.task {
            Task::RegisterLicense(task) => {
                self.0.secrets.delete_token(&task.token_ref).await.map_err(AppError::Unavailable)
            }
            Task::ImportLab(ImportLabTask { from: LabSource::Topology(key), .. }) => {
                forget_topology(self.0.files, key).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
