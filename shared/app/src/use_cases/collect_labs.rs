//! Read the labs of controllers into the table: one listing a worker, whatever the number of its labs.

use std::collections::BTreeMap;

use domain::lab::{Lab, LabState};
use domain::reconcile::lab::LabSight;
use domain::worker::{Worker, WorkerStatus};
use domain::{LabId, SignedDuration, Timestamp, WorkerId};
use futures::{StreamExt, TryStreamExt};

use super::controller::reach;
use super::reconcile_labs::{Listing, reconcile_labs};
use crate::context::Context;
use crate::error::AppError;
use crate::message::CollectLabs;
use crate::ports::{CmlLab, Controllers, LabListing, Secrets};

/// Controllers listed at the same time by one invocation: all of a message.
const CONCURRENT: usize = 10;
/// Writes at the same time for one worker.
const WRITES: usize = 10;
/// How soon labs are read again that were to be judged and could not be read. A worker that becomes ready is read
/// at once.
const READ_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

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
    let reads =
        workers.into_values().map(|worker| async move { collect_one(ctx, controllers, secrets, &worker).await });
    let results: Vec<Result<(), AppError>> = futures::stream::iter(reads).buffer_unordered(CONCURRENT).collect().await;
    results.into_iter().collect()
}

async fn collect_one(
    ctx: &Context,
    controllers: &dyn Controllers,
    secrets: &dyn Secrets,
    worker: &Worker,
) -> Result<(), AppError> {
    if worker.status != WorkerStatus::Running {
        return ctx.store.drop_labs_due(worker.id).await;
    }
    let way = match reach(ctx, secrets, worker).await? {
        Ok(way) => way,
        Err(no_way) => {
            tracing::info!(worker_id = %worker.id, why = no_way.message(), "its labs are not read");
            return read_later(ctx, worker.id).await;
        }
    };
    let asked_at = ctx.now();
    match controllers.labs(way.access()).await {
        Ok(listing) => record_labs(ctx, worker, &listing, asked_at).await,
        Err(error) => {
            tracing::warn!(worker_id = %worker.id, %error, "its labs cannot be read");
            read_later(ctx, worker.id).await
        }
    }
}

/// Puts off what was to be judged; where nothing was, there is nothing to put off.
async fn read_later(ctx: &Context, worker: WorkerId) -> Result<(), AppError> {
    ctx.store.put_labs_off(worker, ctx.now() + READ_AGAIN_AFTER).await
}

/// Records what a controller listed. A lab that two full listings did not have is dropped; one that could
/// only not be read is not missing. Then what is wished of them is judged.
///
/// # Errors
/// The table or a queue failed; what was written stands.
pub(super) async fn record_labs(
    ctx: &Context,
    of: &Worker,
    listing: &LabListing,
    asked_at: Timestamp,
) -> Result<(), AppError> {
    let (worker, now) = (of.id, ctx.now());
    let known: BTreeMap<LabId, Lab> =
        ctx.store.all_worker_labs(worker).await?.into_iter().map(|lab| (lab.id.clone(), lab)).collect();
    let listed: Vec<Lab> = listing.labs.iter().filter_map(|lab| read(worker, lab, now)).collect();
    let mut labs = sights(&listed, listing);
    let writes = listed.into_iter().map(|lab| async move { ctx.store.save_lab(&lab).await });
    futures::stream::iter(writes).buffer_unordered(WRITES).try_collect::<Vec<()>>().await?;
    for lab in known.values() {
        if labs.contains_key(&lab.id) {
            continue;
        }
        if lab.missing_since.is_some() {
            ctx.store.drop_lab(worker, &lab.id).await?;
        } else {
            ctx.store.save_lab(&Lab { missing_since: Some(now), ..lab.clone() }).await?;
            labs.insert(lab.id.clone(), LabSight::NotShown);
        }
    }
    reconcile_labs(ctx, of, &Listing { labs, asked_at }).await
}

/// What a listing showed of each lab that it had.
fn sights(listed: &[Lab], listing: &LabListing) -> BTreeMap<LabId, LabSight> {
    let unread = listing.unread.iter().filter_map(|(id, _)| Some((id.parse().ok()?, LabSight::NotShown)));
    let shown = listed.iter().map(|lab| {
        let sight = lab.state.clone().map_or(LabSight::NotShown, LabSight::Shown);
        (lab.id.clone(), sight)
    });
    unread.chain(shown).collect()
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
