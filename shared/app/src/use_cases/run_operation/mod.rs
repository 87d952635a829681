//! Take an operation at EC2 one step further. It re-reads everything, does bounded work and returns;
//! what it waits for is looked at again when the operation is next due.

mod import;
mod instance;
mod reconcile;
mod refresh;

use async_trait::async_trait;
use domain::OperationId;
use domain::operation::{Operation, Task};

use super::operation_run::{Progress, Steps, run};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{Ec2, Queue};

/// Runs one operation, of any kind but import. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_operation(ctx: &Context, ec2: &dyn Ec2, id: OperationId) -> Result<(), AppError> {
    run(ctx, Queue::Operations, id, &AtEc2(ec2)).await
}

/// Runs one import. An ended or unknown one is done already.
///
/// # Errors
/// A port failed before anything could be said of the operation; it stays due.
pub async fn run_import(ctx: &Context, ec2: &dyn Ec2, id: OperationId) -> Result<(), AppError> {
    run(ctx, Queue::Imports, id, &AtEc2(ec2)).await
}

struct AtEc2<'a>(&'a dyn Ec2);

#[async_trait]
impl Steps for AtEc2<'_> {
    async fn advance(&self, ctx: &Context, operation: &mut Operation) -> Result<Progress, AppError> {
        let task = operation.task.clone();
        match (&task, operation.target) {
            (Task::ImportWorkers(import), _) => import::advance(ctx, self.0, operation, import).await,
            (Task::RefreshWorker, Some(worker)) => refresh::advance(ctx, operation, worker).await,
            (Task::ReconcileWorker, Some(worker)) => reconcile::worker(ctx, operation, worker).await,
            (Task::ReconcileFleet(run), _) => reconcile::fleet(ctx, operation, run.clone()).await,
            (_, Some(worker)) => instance::advance(ctx, self.0, operation, worker).await,
            (_, None) => Ok(Progress::failed("no_target", "The operation names no worker.")),
        }
    }
}
