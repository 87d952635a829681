//! Read operations: one, or a page of them, newest first.

use domain::operation::{Operation, OperationStatus};
use domain::{OperationId, Sight, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::store::Listed;

/// Pages read for one answer when a filter matches little.
const PAGES_PER_ANSWER: usize = 10;

/// One operation. It is seen by whoever began it, and by whoever sees its worker.
///
/// # Errors
/// It does not exist or is not the caller's to see, or the table failed.
pub async fn get_operation(ctx: &Context, sight: &Sight, id: OperationId) -> Result<Operation, AppError> {
    let operation = ctx.store.operation(id).await?;
    only_seen(ctx, sight, vec![operation]).await?.pop().ok_or_else(|| AppError::no_operation(id))
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
    let mut items: Vec<Operation> = Vec::new();
    let mut next = cursor;
    for _ in 0..PAGES_PER_ANSWER {
        let missing = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(limit));
        let page = ctx.store.list_operations(target, missing, next).await?;
        let fitting = page.items.into_iter().filter(|operation| status.is_none_or(|s| operation.status == s));
        items.extend(only_seen(ctx, sight, fitting.collect()).await?);
        next = page.next;
        if next.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Listed { items, next })
}

async fn only_seen(ctx: &Context, sight: &Sight, operations: Vec<Operation>) -> Result<Vec<Operation>, AppError> {
    if *sight == Sight::Everything {
        return Ok(operations);
    }
    let targets: Vec<WorkerId> = operations.iter().filter_map(|operation| operation.target).collect();
    let workers = ctx.store.workers(&targets).await?;
    let seen = |operation: &Operation| {
        let worker = operation.target.and_then(|id| workers.get(&id));
        sight.sees_work_of(&operation.requested_by) || worker.is_some_and(|worker| sight.sees(worker.owner.as_deref()))
    };
    Ok(operations.into_iter().filter(seen).collect())
}
