//! Take an operation at EC2 one step further. It re-reads everything, does bounded work and returns;
//! what it waits for is looked at again when the operation is next due.

mod import;
mod instance;
mod reconcile;
mod refresh;

use async_trait::async_trait;
use domain::OperationId;
use domain::evidence::Evidence;
use domain::operation::evidence::{Wanted, wanted};
use domain::operation::{Operation, Task};

use super::evidence::{Ec2Ports, Failed, keep_console_output, kept};
use super::operation_run::{Progress, Steps, run};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Files, Queue};

/// Runs one operation, of any kind but import. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_operation(ctx: &Context, ports: Ec2Ports<'_>, id: OperationId) -> Result<(), AppError> {
    run(ctx, Queue::Operations, id, &AtEc2 { ec2: ports.ec2, files: Some(ports.files) }).await
}

/// Runs one import. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_import(ctx: &Context, ec2: &dyn Ec2, id: OperationId) -> Result<(), AppError> {
    run(ctx, Queue::Imports, id, &AtEc2 { ec2, files: None }).await
}

struct AtEc2<'a> {
    ec2: &'a dyn Ec2,
    /// Where evidence of failures is kept; an import has none.
    files: Option<&'a dyn Files>,
}

#[async_trait]
impl Steps for AtEc2<'_> {
    async fn advance(&self, ctx: &Context, operation: &mut Operation) -> Result<Progress, AppError> {
        let task = operation.task.clone();
        match (&task, operation.target) {
            (Task::ImportWorkers(import), _) => import::advance(ctx, self.ec2, operation, import).await,
            (Task::RefreshWorker, Some(worker)) => refresh::advance(ctx, operation, worker).await,
            (Task::ReconcileWorker, Some(worker)) => reconcile::worker(ctx, operation, worker).await,
            (Task::ReconcileFleet(run), _) => reconcile::fleet(ctx, operation, run.clone()).await,
            (_, Some(worker)) => instance::advance(ctx, self.ec2, operation, worker).await,
            (_, None) => Ok(Progress::failed("no_target", "The operation names no worker.")),
        }
    }

    async fn document(&self, ctx: &Context, operation: &Operation, failed: &Failed) -> Vec<Evidence> {
        let (Some(Wanted::ConsoleOutput), Some(files)) = (wanted(operation), self.files) else { return vec![] };
        let ports = Ec2Ports { ec2: self.ec2, files };
        let taken = match ctx.store.worker(failed.worker_id).await {
            Ok(worker) => keep_console_output(ctx, ports, &worker, failed).await,
            Err(error) => Err(error),
        };
        kept(failed.worker_id, taken).into_iter().collect()
    }
}
