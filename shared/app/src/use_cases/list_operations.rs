//! List operations, newest first.

use domain::WorkerId;
use domain::operation::{Operation, OperationStatus};

use crate::context::Context;
use crate::error::AppError;
use crate::store::Listed;

/// Pages read for one answer when a filter matches little.
const PAGES_PER_ANSWER: usize = 10;

/// A page of operations; of one worker and of one status, if given.
///
/// # Errors
/// The cursor is not one of this list, or the table failed.
pub async fn list_operations(
    ctx: &Context,
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
        items.extend(page.items.into_iter().filter(|operation| status.is_none_or(|s| operation.status == s)));
        next = page.next;
        if next.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Listed { items, next })
}
