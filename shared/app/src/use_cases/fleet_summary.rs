//! The fleet in numbers, and whether its store can be trusted.

use std::collections::BTreeMap;

use domain::worker::{DesiredState, WorkerStatus};
use domain::{Sight, Timestamp, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::store::FleetState;

/// The fleet in numbers.
#[derive(Clone, Debug, Default)]
pub struct FleetSummary {
    /// All workers that are not terminated.
    pub workers: u64,
    /// Workers by status, terminated ones too.
    pub by_status: BTreeMap<WorkerStatus, u64>,
    /// Workers by wish, those not terminated.
    pub by_desired: BTreeMap<DesiredState, u64>,
    /// Workers that run and can be used.
    pub ready: u64,
    /// Labs on running workers, as last read.
    pub labs: u64,
    /// Nodes that run on them, as last read.
    pub running_nodes: u64,
    /// Workers that run with nobody using them, as last judged.
    pub idle: u64,
    /// When this was counted, fleet time.
    pub at: Timestamp,
}

/// Counts what the caller sees of the fleet, page by page over the list.
///
/// # Errors
/// The table failed.
pub async fn fleet_summary(ctx: &Context, sight: &Sight) -> Result<FleetSummary, AppError> {
    let mut summary = FleetSummary { at: ctx.now(), ..FleetSummary::default() };
    let mut after = None;
    loop {
        let page = ctx.store.list_workers(None, 200, after).await?;
        let mut running: Vec<WorkerId> = Vec::new();
        for worker in page.items.iter().filter(|worker| sight.sees(worker.owner.as_deref())) {
            *summary.by_status.entry(worker.status).or_default() += 1;
            if worker.is_live() {
                summary.workers += 1;
                *summary.by_desired.entry(worker.desired).or_default() += 1;
            }
            if worker.status == WorkerStatus::Running {
                running.push(worker.id);
                summary.ready += u64::from(worker.service == domain::metrics::ServiceStatus::Available);
            }
        }
        for telemetry in ctx.store.recent_telemetry(&running, summary.at).await?.values() {
            summary.labs += u64::from(telemetry.cml.cml.labs.unwrap_or(0));
            summary.running_nodes += u64::from(telemetry.cml.cml.running_nodes.unwrap_or(0));
        }
        for power in ctx.store.powers(&running).await? {
            summary.idle += u64::from(power.decided.is_some_and(|(_, decision)| decision.idle_since.is_some()));
        }
        after = page.next;
        if after.is_none() {
            return Ok(summary);
        }
    }
}

/// Whether the product works: the state of the fleet could be read.
///
/// # Errors
/// The table failed.
pub async fn fleet_state(ctx: &Context) -> Result<FleetState, AppError> {
    ctx.store.fleet_state().await
}
