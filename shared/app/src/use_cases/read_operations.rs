//! Read operations: one, or a page of them, newest first.

use async_trait::async_trait;
use domain::operation::{Operation, OperationStatus};
use domain::{OperationId, Sight, WorkerId};

use super::seen_page::{Rows, seen_page};
use crate::context::Context;
use crate::error::AppError;
use crate::store::Listed;

/// One operation. It is seen by whoever began it, and by whoever sees its worker.
///
/// # Errors
/// It does not exist or is not the caller's to see, or the table failed.
pub async fn get_operation(ctx: &Context, sight: &Sight, id: OperationId) -> Result<Operation, AppError> {
    let operation = ctx.store.operation(id).await?;
    match seen(ctx, sight, std::slice::from_ref(&operation)).await?[..] {
        [true] => Ok(operation),
        _ => Err(AppError::no_operation(id)),
    }
}

/// A page of the operations that the caller sees; of one worker and of one status, if given.
///
/// # Errors
/// The cursor is not one of this list, or the table failed.
pub async fn list_operations(
    ctx: &Context,
    sight: &Sight,
    target: Option<WorkerId>,
    status: Option<OperationStatus>,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<Operation>, AppError> {
    let rows = Operations { ctx, sight, target, status };
    seen_page(sight, &rows, limit, cursor).await
}

struct Operations<'a> {
    ctx: &'a Context,
    sight: &'a Sight,
    target: Option<WorkerId>,
    status: Option<OperationStatus>,
}

#[async_trait]
impl Rows<Operation> for Operations<'_> {
    async fn page(&self, limit: u32, after: Option<String>) -> Result<Listed<Operation>, AppError> {
        self.ctx.store.list_operations(self.target, limit, after).await
    }

    async fn shown(&self, operations: &[Operation]) -> Result<Vec<bool>, AppError> {
        let seen = seen(self.ctx, self.sight, operations).await?;
        let fits = |operation: &Operation| self.status.is_none_or(|status| operation.status == status);
        Ok(operations.iter().zip(seen).map(|(operation, seen)| seen && fits(operation)).collect())
    }
}

/// For each of these operations whether it is seen: by whoever began it, and by whoever sees its worker.
async fn seen(ctx: &Context, sight: &Sight, operations: &[Operation]) -> Result<Vec<bool>, AppError> {
    if *sight == Sight::Everything {
        return Ok(vec![true; operations.len()]);
    }
    let targets: Vec<WorkerId> = operations.iter().filter_map(|operation| operation.target).collect();
    let workers = ctx.store.workers(&targets).await?;
    let seen = |operation: &Operation| {
        let worker = operation.target.and_then(|id| workers.get(&id));
        sight.sees_work_of(&operation.requested_by) || worker.is_some_and(|worker| sight.sees(worker.owner.as_deref()))
    };
    Ok(operations.iter().map(seen).collect())
}
