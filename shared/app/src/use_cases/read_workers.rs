//! Read workers: the snapshot, its latest readings and its standing power decision.

use async_trait::async_trait;
use domain::evidence::{Evidence, EvidencePointer};
use domain::worker::{Worker, WorkerStatus};
use domain::{Region, Sight, SignedDuration, Timestamp, WorkerId};

use super::seen_page::{Rows, seen_page};
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Listed, PowerDue, Sample, Telemetry};

/// The longest span of one page of history.
pub const HISTORY_PAGE: SignedDuration = SignedDuration::from_hours(24);
/// The longest span that can be asked for.
pub const HISTORY_MAX: SignedDuration = SignedDuration::from_hours(24 * 31);

/// Evidence that a worker's answer points to; all of it is a list of its own.
const EVIDENCE_SHOWN: u32 = 5;

/// A worker with everything that is shown of it.
#[derive(Clone, Debug)]
pub struct WorkerDetails {
    /// The snapshot.
    pub worker: Worker,
    /// Where its controller answers, if it is known.
    pub endpoint: Option<String>,
    /// The latest readings.
    pub telemetry: Telemetry,
    /// The standing power decision.
    pub power: Option<PowerDue>,
    /// What was kept of its failures, the newest few; null in lists, which do not ask for it.
    pub evidence: Option<Vec<EvidencePointer>>,
}

/// Which workers to list.
#[derive(Clone, Debug, Default)]
pub struct WorkerFilter {
    /// Of this region.
    pub region: Option<Region>,
    /// Of this status.
    pub status: Option<WorkerStatus>,
    /// Of this owner.
    pub owner: Option<String>,
    /// With this tag, and this value if one is given.
    pub tag: Option<(String, Option<String>)>,
}

impl WorkerFilter {
    fn matches(&self, worker: &Worker) -> bool {
        self.status.is_none_or(|status| worker.status == status)
            && self.owner.as_ref().is_none_or(|owner| worker.owner.as_ref() == Some(owner))
            && self.tag.as_ref().is_none_or(|(key, value)| {
                worker.tags.get(key).is_some_and(|held| value.as_ref().is_none_or(|value| held == value))
            })
    }
}

struct Workers<'a> {
    ctx: &'a Context,
    sight: &'a Sight,
    filter: &'a WorkerFilter,
}

#[async_trait]
impl Rows<Worker> for Workers<'_> {
    async fn page(&self, limit: u32, after: Option<String>) -> Result<Listed<Worker>, AppError> {
        self.ctx.store.list_workers(self.filter.region.as_ref(), limit, after).await
    }

    async fn shown(&self, workers: &[Worker]) -> Result<Vec<bool>, AppError> {
        let shown = |worker: &Worker| self.sight.sees(worker.owner.as_deref()) && self.filter.matches(worker);
        Ok(workers.iter().map(shown).collect())
    }
}

/// One worker.
///
/// # Errors
/// It does not exist, or the table failed.
pub async fn get_worker(ctx: &Context, id: WorkerId) -> Result<WorkerDetails, AppError> {
    details(ctx, ctx.store.worker(id).await?).await
}

/// A worker just read or written, with the rest of what is shown of it.
///
/// # Errors
/// The table failed.
pub async fn details(ctx: &Context, worker: Worker) -> Result<WorkerDetails, AppError> {
    let (telemetry, power, evidence) = futures::try_join!(
        ctx.store.telemetry(worker.id),
        ctx.store.power(worker.id),
        ctx.store.list_evidence(worker.id, EVIDENCE_SHOWN, None, ctx.now()),
    )?;
    let evidence = Some(evidence.items.iter().map(Evidence::pointer).collect());
    Ok(WorkerDetails { endpoint: worker.endpoint(ctx.settings.cml_address), worker, telemetry, power, evidence })
}

/// A page of the workers that the caller sees, by region and name.
///
/// # Errors
/// The cursor is not one of this list, or the table failed.
pub async fn list_workers(
    ctx: &Context,
    sight: &Sight,
    filter: &WorkerFilter,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<WorkerDetails>, AppError> {
    let rows = Workers { ctx, sight, filter };
    let Listed { items: workers, next } = seen_page(sight, &rows, limit, cursor).await?;
    let ids: Vec<WorkerId> = workers.iter().map(|worker| worker.id).collect();
    let (mut telemetry, powers) =
        futures::try_join!(ctx.store.recent_telemetry(&ids, ctx.now()), ctx.store.powers(&ids))?;
    let items = workers
        .into_iter()
        .map(|worker| WorkerDetails {
            telemetry: telemetry.remove(&worker.id).unwrap_or_default(),
            power: powers.iter().find(|power| power.worker_id == worker.id).cloned(),
            endpoint: worker.endpoint(ctx.settings.cml_address),
            worker,
            evidence: None,
        })
        .collect();
    Ok(Listed { items, next })
}

/// A page of a worker's history: at most `limit` samples and at most a day from `from` on, and where
/// the next page begins.
///
/// # Errors
/// The worker does not exist, or the table failed.
pub async fn history(
    ctx: &Context,
    id: WorkerId,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<(Vec<(&'static str, Sample)>, Option<Timestamp>), AppError> {
    ctx.store.worker(id).await?;
    let end = to.min(from + HISTORY_PAGE);
    let mut samples = ctx.store.samples(id, from, end).await?;
    if let Some((_, after)) = samples.get(limit) {
        // The next page begins with a moment: samples of one moment stay together.
        let next = after.at;
        let cut = samples.iter().position(|(_, sample)| sample.at == next).filter(|cut| *cut > 0).unwrap_or(limit);
        samples.truncate(cut);
        return Ok((samples, Some(next)));
    }
    Ok((samples, (end < to).then_some(end + SignedDuration::from_millis(1))))
}
