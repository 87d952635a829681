//! The metrics schedule: fan out over running workers, by account and region.

use std::collections::BTreeMap;

use domain::{Place, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::message::{CollectAws, CollectCml, Message};
use crate::ports::{Outgoing, Queue};

/// Workers in one message to collect-aws: the least number that fills both the 100 ids of
/// `DescribeInstanceStatus` and the 500 queries of `GetMetricData`, four of them a worker.
const AWS_BATCH: usize = 500;
/// Workers in one message to collect-cml: each costs up to a few seconds of one function's time.
const CML_BATCH: usize = 25;

/// Sends every running worker to be read.
///
/// # Errors
/// The table or a queue failed; the next tick sends all again.
pub async fn dispatch_metrics(ctx: &Context) -> Result<(), AppError> {
    let mut by_place: BTreeMap<Place, Vec<WorkerId>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = ctx.store.list_running(after).await?;
        for worker in page.items {
            by_place.entry(worker.place).or_default().push(worker.id);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let aws: Vec<Outgoing> = by_place
        .iter()
        .flat_map(|(place, ids)| ids.chunks(AWS_BATCH).map(move |ids| (place, ids)))
        .map(|(place, ids)| CollectAws { place: place.clone(), worker_ids: ids.to_vec() }.outgoing())
        .collect();
    let all: Vec<WorkerId> = by_place.into_values().flatten().collect();
    let cml = all.chunks(CML_BATCH).map(|ids| CollectCml { worker_ids: ids.to_vec() }.outgoing()).collect();
    ctx.queues.send(Queue::MetricsAws, aws).await.map_err(AppError::Unavailable)?;
    ctx.queues.send(Queue::MetricsCml, cml).await.map_err(AppError::Unavailable)?;
    tracing::info!(workers = all.len(), "metrics dispatched");
    Ok(())
}
