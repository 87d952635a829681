//! Read labs: lists of them, and one with what its controller shows of it now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use domain::lab::Lab;
use domain::reconcile::lab::standing;
use domain::session::Person;
use domain::worker::{Worker, WorkerStatus};
use domain::{LabId, Sight, WorkerId};
use futures::future::{Either, select};

use super::controller::{NoWay, Way, reach};
use super::lab_access::sees_lab;
use super::run_cml_operation::is_no_lab;
use super::seen_page::{Rows, seen_page};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{
    CmlAccess, CmlError, CmlNode, CmlState, Controllers, PortError, Secrets, SimulationStatistics, Timer, TopologyLink,
};
use crate::store::{Listed, StoredWish};

/// How long a controller may take to show a lab; then what was read last is all there is to say.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest topology that is handed out: in base64 or JSON escapes it must fit in Lambda's answer of 6 MB.
const DOWNLOAD_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What a controller shows of a lab now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveLab {
    /// Its nodes as they run.
    pub nodes: Vec<CmlNode>,
    /// Its links.
    pub links: Vec<TopologyLink>,
    /// What it uses.
    pub usage: LabUsage,
}

/// What a lab uses. What CML does not tell is null.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LabUsage {
    /// CPU in percent of one processor, all nodes together.
    pub cpu_percent: Option<f64>,
    /// Memory given to its running nodes, in MiB; null when a node has its definition's, which is not asked.
    pub memory_mib: Option<u64>,
    /// Bytes read from the nodes' first disks since their start.
    pub disk_read_bytes: Option<f64>,
    /// Bytes written to them.
    pub disk_written_bytes: Option<f64>,
}

/// A page of the labs of all workers that the person sees, by title. A terminated worker has none.
///
/// # Errors
/// The cursor is not one of this list, or the table failed.
pub async fn list_labs(
    ctx: &Context,
    person: &Person,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<Lab>, AppError> {
    let rows = FleetLabs { ctx, person };
    seen_page(&ctx.settings.visibility.of(person), &rows, limit, cursor).await
}

struct FleetLabs<'a> {
    ctx: &'a Context,
    person: &'a Person,
}

#[async_trait]
impl Rows<Lab> for FleetLabs<'_> {
    async fn page(&self, limit: u32, after: Option<String>) -> Result<Listed<Lab>, AppError> {
        self.ctx.store.list_labs(limit, after).await
    }

    async fn shown(&self, labs: &[Lab]) -> Result<Vec<bool>, AppError> {
        let mut ids: Vec<WorkerId> = labs.iter().map(|lab| lab.worker_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let workers: BTreeMap<WorkerId, Worker> = self.ctx.store.workers(&ids).await?;
        let shown = |lab: &Lab| {
            let there = workers.get(&lab.worker_id).filter(|worker| worker.status != WorkerStatus::Terminated);
            there.is_some_and(|worker| sees(self.ctx, self.person, worker, lab))
        };
        Ok(labs.iter().map(shown).collect())
    }
}

fn sees(ctx: &Context, person: &Person, worker: &Worker, lab: &Lab) -> bool {
    sees_lab(ctx, person, worker.owner.as_deref(), lab.owner_username.as_deref())
}

/// A page of the labs of one worker that the person sees, by id.
///
/// # Errors
/// The worker does not exist, the cursor is not one of this list, or the table failed.
pub async fn list_worker_labs(
    ctx: &Context,
    person: &Person,
    id: WorkerId,
    limit: u32,
    cursor: Option<String>,
) -> Result<Listed<Lab>, AppError> {
    let worker = ctx.store.worker(id).await?;
    if worker.status == WorkerStatus::Terminated {
        return Ok(Listed { items: vec![], next: None });
    }
    let rows = WorkerLabs { ctx, person, worker: &worker };
    seen_page(&ctx.settings.visibility.of(person), &rows, limit, cursor).await
}

struct WorkerLabs<'a> {
    ctx: &'a Context,
    person: &'a Person,
    worker: &'a Worker,
}

#[async_trait]
impl Rows<Lab> for WorkerLabs<'_> {
    async fn page(&self, limit: u32, after: Option<String>) -> Result<Listed<Lab>, AppError> {
        self.ctx.store.worker_labs(self.worker.id, limit, after).await
    }

    async fn shown(&self, labs: &[Lab]) -> Result<Vec<bool>, AppError> {
        Ok(labs.iter().map(|lab| sees(self.ctx, self.person, self.worker, lab)).collect())
    }
}

/// What is wished of labs that were just read, with what stands of what was decided of them, by worker and lab.
///
/// # Errors
/// The table failed.
pub async fn wishes_of(ctx: &Context, labs: &[Lab]) -> Result<BTreeMap<(WorkerId, LabId), StoredWish>, AppError> {
    let ids: Vec<_> = labs.iter().map(|lab| (lab.worker_id, lab.id.clone())).collect();
    let mut wishes = ctx.store.lab_wishes_of(&ids).await?;
    let workers: BTreeSet<WorkerId> = wishes.keys().map(|(worker, _)| *worker).collect();
    let workers = ctx.store.workers(&workers.into_iter().collect::<Vec<_>>()).await?;
    for ((worker, _), stored) in &mut wishes {
        if let Some(worker) = workers.get(worker) {
            stored.decided = standing(stored.decided.take(), worker);
        }
    }
    Ok(wishes)
}

/// Whether somebody sees a worker: it is theirs, or a lab on it is.
///
/// # Errors
/// The table failed.
pub async fn sees_worker(ctx: &Context, person: &Person, worker: &Worker) -> Result<bool, AppError> {
    let sight = ctx.settings.visibility.of(person);
    if sight == Sight::Everything || sight.sees(worker.owner.as_deref()) {
        return Ok(true);
    }
    let labs = ctx.store.all_worker_labs(worker.id).await?;
    Ok(labs.iter().any(|lab| sees(ctx, person, worker, lab)))
}

/// The lab as it was read last, on its worker, for somebody who sees it.
async fn seen_lab(ctx: &Context, person: &Person, worker: WorkerId, id: &LabId) -> Result<(Worker, Lab), AppError> {
    let (worker, lab) = futures::try_join!(ctx.store.worker(worker), ctx.store.lab(worker, id))?;
    // A terminated worker has none, also while its labs are still being dropped.
    let there = worker.status != WorkerStatus::Terminated;
    if there && sees(ctx, person, &worker, &lab) { Ok((worker, lab)) } else { Err(no_lab(id)) }
}

fn no_lab(id: &LabId) -> AppError {
    AppError::NotFound { kind: "lab", id: id.to_string() }
}

/// A lab as it was read last, and as its controller shows it now, when it does so in time.
///
/// # Errors
/// It is not known or not theirs to see, or the table failed.
pub async fn get_lab(
    ctx: &Context,
    (controllers, secrets, timer): (&dyn Controllers, &dyn Secrets, &dyn Timer),
    person: &Person,
    worker: WorkerId,
    id: &LabId,
) -> Result<(Lab, Option<LiveLab>), AppError> {
    let (worker, lab) = seen_lab(ctx, person, worker, id).await?;
    let asking = Box::pin(live(ctx, controllers, secrets, &worker, id));
    let live = match select(asking, timer.after(PATIENCE)).await {
        Either::Left((live, _)) => live,
        Either::Right(_) => {
            tracing::info!(worker_id = %worker.id, "the controller does not show the lab in time");
            None
        }
    };
    Ok((lab, live))
}

async fn live(
    ctx: &Context,
    controllers: &dyn Controllers,
    secrets: &dyn Secrets,
    worker: &Worker,
    id: &LabId,
) -> Option<LiveLab> {
    let way = match reach(ctx, secrets, worker).await {
        Ok(Ok(way)) => way,
        Ok(Err(why)) => {
            tracing::info!(worker_id = %worker.id, why = why.message(), "the lab is shown as it was read last");
            return None;
        }
        Err(error) => {
            tracing::warn!(worker_id = %worker.id, %error, "the lab is shown as it was read last");
            return None;
        }
    };
    let shown = show(controllers, way.access(), id.as_str()).await;
    shown
        .inspect_err(|error| tracing::info!(worker_id = %worker.id, %error, "the lab is shown as it was read last"))
        .ok()
}

async fn show(controllers: &dyn Controllers, access: CmlAccess<'_>, id: &str) -> Result<LiveLab, CmlError> {
    let statistics = async { Ok(controllers.simulation_statistics(access, id).await.ok()) };
    let (nodes, topology, states, statistics) = futures::try_join!(
        controllers.nodes(access, id),
        controllers.lab_topology(access, id),
        controllers.lab_element_states(access, id),
        statistics,
    )?;
    let links = topology.links.into_iter().map(|link| {
        let state = states.links.get(&link.id).cloned().or_else(|| link.state.clone());
        TopologyLink { state, ..link }
    });
    let usage = usage(&nodes, statistics.as_ref());
    Ok(LiveLab { links: links.collect(), usage, nodes })
}

fn usage(nodes: &[CmlNode], statistics: Option<&SimulationStatistics>) -> LabUsage {
    let sum = |of: fn(&crate::ports::NodeStatistics) -> Option<f64>| {
        statistics.and_then(|statistics| statistics.nodes.iter().map(of).sum::<Option<f64>>())
    };
    let running = |node: &&CmlNode| {
        matches!(node.state, Some(CmlState::Started | CmlState::Booted | CmlState::Starting | CmlState::Queued))
    };
    LabUsage {
        cpu_percent: sum(|node| node.cpu_percent),
        memory_mib: nodes.iter().filter(running).map(|node| node.memory_mib.map(u64::from)).sum(),
        disk_read_bytes: sum(|node| node.disk_read_bytes),
        disk_written_bytes: sum(|node| node.disk_written_bytes),
    }
}

/// A lab's topology as YAML, just read from its controller.
///
/// # Errors
/// It is not known or not theirs to see, its controller cannot be asked now or at all, or it refuses.
pub async fn download_lab(
    ctx: &Context,
    (controllers, secrets): (&dyn Controllers, &dyn Secrets),
    person: &Person,
    worker: WorkerId,
    id: &LabId,
) -> Result<(Lab, String), AppError> {
    let (worker, lab) = seen_lab(ctx, person, worker, id).await?;
    let way: Way = match reach(ctx, secrets, &worker).await? {
        Ok(way) => way,
        Err(NoWay::NotYet(why) | NoWay::NoContact(why)) => {
            return Err(AppError::Unavailable(PortError::new("cml.reach", why)));
        }
        Err(NoWay::NotRunning(why) | NoWay::Closed(why)) => return Err(AppError::Conflict(why)),
    };
    let yaml = match controllers.download_lab(way.access(), id.as_str()).await {
        Err(error) if is_no_lab(&error) => return Err(no_lab(id)),
        yaml => yaml?,
    };
    if yaml.len() > DOWNLOAD_MAX_BYTES {
        let why = format!("the lab's file has {} bytes, more than can be answered; back it up instead", yaml.len());
        return Err(AppError::Conflict(why));
    }
    Ok((lab, yaml))
}
