//! The labs schedule: fan out over running workers.

use domain::WorkerId;

use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectLabs, Message};
use crate::ports::Queue;

/// Workers in one message to collect-labs: each may list a few hundred labs.
pub(super) const LABS_BATCH: usize = 10;

/// Sends every running worker to have its labs read.
///
/// # Errors
/// The table or a queue failed; the next tick sends all again.
pub async fn dispatch_labs(ctx: &Context) -> Result<(), AppError> {
    let mut ids: Vec<WorkerId> = Vec::new();
    let mut after = None;
    loop {
        let page = ctx.store.list_running(after).await?;
        ids.extend(page.items.iter().map(|worker| worker.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let messages = ids.chunks(LABS_BATCH).map(|ids| CollectLabs { worker_ids: ids.to_vec() }.outgoing()).collect();
    ctx.queues.send(Queue::Labs, messages).await.map_err(AppError::Unavailable)?;
    tracing::info!(workers = ids.len(), "reading of labs dispatched");
    Ok(())
}
