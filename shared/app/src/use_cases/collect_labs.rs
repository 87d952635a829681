//! Read the labs of controllers into the table: one listing a worker, whatever the number of its labs, and a write
//! for each that changed. Then what is wished of them is judged.

use std::collections::{BTreeMap, BTreeSet};

use domain::lab::{Lab, LabState};
use domain::reconcile::lab::LabSight;
use domain::worker::{Worker, WorkerStatus};
use domain::{LabId, SignedDuration, Timestamp, WorkerId};
use futures::{StreamExt, TryStreamExt};

use super::controller::{Way, reach};
use super::reconcile_labs::{Listing, reconcile_labs};
use super::unfinished_imports::settle;
use crate::context::Context;
use crate::error::AppError;
use crate::message::CollectLabs;
use crate::ports::{CmlError, CmlLab, Controllers, LabListing, Secrets};
use crate::store::{KnownLab, KnownLabs};

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
    if let Err(error) = read_labs(ctx, controllers, &way, worker).await? {
        tracing::warn!(worker_id = %worker.id, %error, "its labs cannot be read");
        return read_later(ctx, worker.id).await;
    }
    Ok(())
}

/// Puts off what was to be judged; where nothing was, there is nothing to put off.
async fn read_later(ctx: &Context, worker: WorkerId) -> Result<(), AppError> {
    ctx.store.put_labs_off(worker, ctx.now() + READ_AGAIN_AFTER).await
}

/// Reads all labs of a controller into the table, settles what imports left half done there, and judges what is
/// wished of them. What the controller listed, or why it did not.
///
/// # Errors
/// The table or a queue failed; what was written stands.
pub(super) async fn read_labs(
    ctx: &Context,
    controllers: &dyn Controllers,
    way: &Way,
    worker: &Worker,
) -> Result<Result<LabListing, CmlError>, AppError> {
    let begun = ctx.now();
    let mut listing = match controllers.labs(way.access()).await {
        Ok(listing) => listing,
        Err(error) => return Ok(Err(error)),
    };
    settle(ctx, controllers, way, worker.id, &mut listing).await?;
    record_labs(ctx, worker, &listing, begun).await?;
    Ok(Ok(listing))
}

/// Records what a controller listed from `begun` on: only what changed is written, and nothing over what was seen
/// since. A lab that two full listings did not have is dropped; one that could only not be read is not missing. Then
/// what is wished of them is judged, by this listing.
async fn record_labs(ctx: &Context, of: &Worker, listing: &LabListing, begun: Timestamp) -> Result<(), AppError> {
    let worker = of.id;
    let known = ctx.store.known_labs(worker).await?;
    if known.listed_at.is_some_and(|at| at > begun) {
        tracing::info!(worker_id = %worker, "a later listing of its labs is recorded already, and judged by that");
        return Ok(());
    }
    let changes = changes(worker, listing, begun, &known);
    let labs = sights(listing, begun, &known, &changes);
    let writes = changes.into_iter().map(|change| async move {
        match change.lab {
            Some(lab) => ctx.store.save_lab_over(change.before, &lab, begun).await,
            None => ctx.store.drop_lab_over(change.before, worker, &change.id, begun).await,
        }
    });
    futures::stream::iter(writes).buffer_unordered(WRITES).try_collect::<Vec<()>>().await?;
    if is_full(listing) {
        ctx.store.save_labs_listed(worker, begun).await?;
    }
    reconcile_labs(ctx, of, &Listing { labs, asked_at: begun }).await
}

/// What is written of a lab.
struct LabChange {
    id: LabId,
    /// What is known of it.
    before: Option<KnownLab>,
    /// As it is now; null when it is gone.
    lab: Option<Lab>,
}

/// What a listing that began at `begun` changes of what is known.
fn changes(worker: WorkerId, listing: &LabListing, begun: Timestamp, known: &KnownLabs) -> Vec<LabChange> {
    let mut changes = Vec::new();
    for lab in listing.labs.iter().filter_map(|lab| read(worker, lab, begun)) {
        let before = known.labs.get(&lab.id);
        // Without a full listing nothing else would tell when it was read.
        let told = is_full(listing) && before.and_then(|before| before.lab.as_ref()).is_some_and(|old| same(old, &lab));
        if !told {
            changes.push(LabChange { id: lab.id.clone(), before: before.cloned(), lab: Some(lab) });
        }
    }
    let unread = listing.unread.iter().map(|(id, _)| id.as_str());
    let there: BTreeSet<&str> = listing.labs.iter().map(|lab| lab.id.as_str()).chain(unread).collect();
    for before in known.labs.values().filter(|before| !there.contains(before.id.as_str()) && !before.outlives(begun)) {
        let Some(lab) = &before.lab else { continue };
        let marked = Lab { missing_since: Some(begun), ..lab.clone() };
        let now = lab.missing_since.is_none().then_some(marked);
        changes.push(LabChange { id: lab.id.clone(), before: Some(before.clone()), lab: now });
    }
    changes
}

/// What a listing that began at `begun` showed of each lab that it had, or should have had. It says nothing of what
/// was seen since.
fn sights(
    listing: &LabListing,
    begun: Timestamp,
    known: &KnownLabs,
    changes: &[LabChange],
) -> BTreeMap<LabId, LabSight> {
    let unread = listing.unread.iter().filter_map(|(id, _)| Some((id.parse().ok()?, LabSight::NotShown)));
    let listed = listing.labs.iter().filter_map(|lab| Some((lab.id.parse().ok()?, sight(lab))));
    let missing = changes.iter().filter(|change| change.lab.as_ref().is_some_and(|lab| lab.missing_since.is_some()));
    let missing = missing.map(|change| (change.id.clone(), LabSight::NotShown));
    let mut sights: BTreeMap<LabId, LabSight> = unread.chain(listed).chain(missing).collect();
    for later in known.labs.values().filter(|known| known.outlives(begun)) {
        if later.lab.is_some() {
            sights.insert(later.id.clone(), LabSight::NotShown);
        } else {
            sights.remove(&later.id);
        }
    }
    sights
}

fn sight(lab: &CmlLab) -> LabSight {
    lab.state.as_ref().map_or(LabSight::NotShown, |state| LabSight::Shown(LabState::from_name(state.name())))
}

/// Whether every lab was read.
fn is_full(listing: &LabListing) -> bool {
    listing.unread.is_empty()
}

/// Whether a controller shows of the lab what was known, but for when.
fn same(known: &Lab, shown: &Lab) -> bool {
    *known == Lab { synced_at: known.synced_at, ..shown.clone() }
}

/// A lab as a controller tells it, of a reading that began at `at`; none when its id is no id.
pub(super) fn read(worker_id: WorkerId, lab: &CmlLab, at: Timestamp) -> Option<Lab> {
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
        synced_at: at,
        missing_since: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn shown(id: &str) -> CmlLab {
        CmlLab { id: id.into(), title: Some(id.into()), ..CmlLab::default() }
    }

    /// Read at that second; null for one that was seen gone then.
    fn known(labs: &[(&str, i64, bool)]) -> KnownLabs {
        let worker = WorkerId::new(at(0), 1);
        let known = labs.iter().map(|(id, second, there)| {
            let lab = read(worker, &shown(id), at(*second)).unwrap();
            KnownLab::new(lab.id.clone(), there.then_some(lab), at(*second))
        });
        KnownLabs { labs: known.map(|known| (known.id.clone(), known)).collect(), listed_at: None }
    }

    fn told(listing: &LabListing, begun: i64, known: &KnownLabs) -> Vec<String> {
        let changes = changes(WorkerId::new(at(0), 1), listing, at(begun), known);
        let told = changes.into_iter().map(|change| match change.lab {
            Some(lab) if lab.missing_since.is_some() => format!("{} is missing", lab.id),
            Some(lab) => format!("{} is there", lab.id),
            None => format!("{} is gone", change.id),
        });
        told.collect()
    }

    #[test]
    fn only_what_a_listing_tells_anew_is_written_and_nothing_over_what_was_seen_since() {
        let listing = LabListing { labs: vec![shown("new"), shown("same")], unread: vec![] };
        let before = known(&[("same", 10, true), ("later", 30, true), ("deleted", 15, false), ("missing", 10, true)]);
        assert_eq!(told(&listing, 20, &before), ["new is there", "missing is missing"]);
        let mut before = known(&[("new", 10, true), ("same", 10, true), ("missing", 10, true)]);
        for lab in before.labs.values_mut() {
            lab.lab.as_mut().unwrap().missing_since = Some(at(12));
        }
        assert_eq!(told(&listing, 20, &before), ["new is there", "same is there", "missing is gone"]);
    }

    #[test]
    fn where_not_every_lab_was_read_each_that_was_is_written() {
        let refused = CmlError {
            operation: "GET /labs/{lab_id}",
            status: Some(403),
            kind: crate::ports::CmlErrorKind::Denied,
            message: String::new(),
        };
        let listing = LabListing { labs: vec![shown("same")], unread: vec![("unread".into(), refused)] };
        let before = known(&[("same", 10, true), ("unread", 10, true)]);
        assert_eq!(told(&listing, 20, &before), ["same is there"]);
    }
}
