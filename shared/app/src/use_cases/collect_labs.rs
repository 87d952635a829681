//! Read the labs of controllers into the table: one listing a worker, whatever the number of its labs.

use std::collections::{BTreeMap, BTreeSet};

use domain::lab::{Lab, LabState};
use domain::worker::{Worker, WorkerStatus};
use domain::{LabId, Timestamp, WorkerId};
use futures::{StreamExt, TryStreamExt};

use super::controller::reach;
use crate::context::Context;
use crate::error::AppError;
use crate::message::CollectLabs;
use crate::ports::{CmlLab, Controllers, LabListing, Secrets};

/// Controllers listed at the same time by one invocation: all of a message.
const CONCURRENT: usize = 10;
/// Writes at the same time for one worker.
const WRITES: usize = 10;

/// Reads the labs of the workers in a message.
///
/// # Errors
/// The table or the secrets failed for some worker; the message is delivered again. A controller that does
/// not answer is none: its labs stay as they were read last.
pub async fn collect_labs(
    ctx: &Context,
    controllers: &dyn Controllers,
    secrets: &dyn Secrets,
    message: &CollectLabs,
) -> Result<(), AppError> {
    let workers = ctx.store.workers(&message.worker_ids).await?;
    let running = workers.into_values().filter(|worker| worker.status == WorkerStatus::Running);
    let reads = running.map(|worker| async move { collect_one(ctx, controllers, secrets, &worker).await });
    let results: Vec<Result<(), AppError>> = futures::stream::iter(reads).buffer_unordered(CONCURRENT).collect().await;
    results.into_iter().collect()
}

async fn collect_one(
    ctx: &Context,
    controllers: &dyn Controllers,
    secrets: &dyn Secrets,
    worker: &Worker,
) -> Result<(), AppError> {
    let way = match reach(ctx, secrets, worker).await? {
        Ok(way) => way,
        Err(no_way) => {
            tracing::info!(worker_id = %worker.id, why = no_way.message(), "its labs are not read");
            return Ok(());
        }
    };
    match controllers.labs(way.access()).await {
        Ok(listing) => record_labs(ctx, worker.id, &listing).await,
        Err(error) => {
            tracing::warn!(worker_id = %worker.id, %error, "its labs cannot be read");
            Ok(())
        }
    }
}

/// Records what a controller listed. A lab that two full listings did not have is dropped; one that could
/// only not be read is not missing.
///
/// # Errors
/// The table failed; what was written stands.
pub(super) async fn record_labs(ctx: &Context, worker: WorkerId, listing: &LabListing) -> Result<(), AppError> {
    let now = ctx.now();
    let known: BTreeMap<LabId, Lab> =
        ctx.store.all_worker_labs(worker).await?.into_iter().map(|lab| (lab.id.clone(), lab)).collect();
    let listed: Vec<Lab> = listing.labs.iter().filter_map(|lab| read(worker, lab, now)).collect();
    let there: BTreeSet<&str> = listing.labs.iter().map(|lab| lab.id.as_str()).chain(unread(listing)).collect();
    let writes = listed.into_iter().map(|lab| async move { ctx.store.save_lab(&lab).await });
    futures::stream::iter(writes).buffer_unordered(WRITES).try_collect::<Vec<()>>().await?;
    for lab in known.values().filter(|lab| !there.contains(lab.id.as_str())) {
        if lab.missing_since.is_some() {
            ctx.store.drop_lab(worker, &lab.id).await?;
        } else {
            ctx.store.save_lab(&Lab { missing_since: Some(now), ..lab.clone() }).await?;
        }
    }
    Ok(())
}

fn unread(listing: &LabListing) -> impl Iterator<Item = &str> {
    listing.unread.iter().map(|(id, _)| id.as_str())
}

/// A lab as a controller tells it; none when its id is no id.
pub(super) fn read(worker_id: WorkerId, lab: &CmlLab, now: Timestamp) -> Option<Lab> {
    let Ok(id) = lab.id.parse() else {
        tracing::warn!(%worker_id, lab = lab.id, "a lab with an odd id is passed over");
        return None;
    };
    Some(Lab {
        id,
        worker_id,
        title: lab.title.clone().unwrap_or_else(|| lab.id.clone()),
        description: lab.description.clone(),
        notes: lab.notes.clone(),
        state: lab.state.as_ref().map(|state| LabState::from_name(state.name())),
        owner: lab.owner_id.clone(),
        owner_username: lab.owner_username.clone(),
        node_count: lab.node_count,
        link_count: lab.link_count,
        created_at: lab.created_at,
        modified_at: lab.modified_at,
        synced_at: now,
        missing_since: None,
    })
}
