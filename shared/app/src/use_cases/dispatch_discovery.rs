//! The discovery schedule: one message for each account and region.

use std::collections::BTreeSet;

use domain::Place;

use crate::context::Context;
use crate::error::AppError;
use crate::message::{DiscoverInstances, Message};
use crate::ports::Queue;

/// Sends every place to be looked at: where workers run, and those of the settings. The places.
///
/// # Errors
/// The table or a queue failed; the next tick sends all again.
pub async fn dispatch_discovery(ctx: &Context) -> Result<Vec<Place>, AppError> {
    let mut places: BTreeSet<Place> = ctx.settings.discovery_places.iter().cloned().collect();
    let mut after = None;
    loop {
        let page = ctx.store.list_running(after).await?;
        places.extend(page.items.into_iter().map(|worker| worker.place));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let messages = places.iter().map(|place| DiscoverInstances { place: place.clone() }.outgoing()).collect();
    ctx.queues.send(Queue::Discovery, messages).await.map_err(AppError::Unavailable)?;
    tracing::info!(places = places.len(), "discovery dispatched");
    Ok(places.into_iter().collect())
}
