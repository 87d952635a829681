//! The fleet as callers see it.

use std::collections::BTreeMap;

use app::store::FleetState;
use app::use_cases::fleet_summary::FleetSummary;
use domain::worker::{DesiredState, WorkerStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::{maybe_time, time};

/// Whether the product works.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `frozen` (nothing destructive is done) or `safe_mode` (nothing is done at all).
    pub status: &'static str,
    /// This version.
    pub version: &'static str,
    /// What it depends on, and whether that answers.
    pub dependencies: BTreeMap<&'static str, &'static str>,
    /// Since when the fleet is frozen.
    pub frozen_since: Option<String>,
    /// Why.
    pub frozen_reason: Option<String>,
}

impl Health {
    /// The health of a product whose store answers.
    #[must_use]
    pub fn new(state: &FleetState, safe_mode: bool) -> Self {
        Self {
            status: brakes(state, safe_mode),
            version: env!("CARGO_PKG_VERSION"),
            dependencies: BTreeMap::from([("table", "ok")]),
            frozen_since: maybe_time(state.frozen_since),
            frozen_reason: state.frozen_reason.clone(),
        }
    }
}

/// Which brake is on, in a word.
pub(super) fn brakes(state: &FleetState, safe_mode: bool) -> &'static str {
    match (safe_mode, state.frozen_since) {
        (true, _) => "safe_mode",
        (false, Some(_)) => "frozen",
        (false, None) => "ok",
    }
}

/// The fleet in numbers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FleetMetrics {
    /// Workers that are not terminated.
    pub workers: u64,
    /// Workers by status, terminated ones too.
    pub by_status: BTreeMap<&'static str, u64>,
    /// Workers by wish.
    pub by_desired_state: BTreeMap<&'static str, u64>,
    /// Workers that run and can be used.
    pub ready: u64,
    /// Workers that run with nobody using them.
    pub idle: u64,
    /// Labs on running workers.
    pub labs: u64,
    /// Nodes that run on them.
    pub running_nodes: u64,
    /// When this was counted.
    pub at: String,
}

impl From<&FleetSummary> for FleetMetrics {
    fn from(summary: &FleetSummary) -> Self {
        // Every name is there, so that a chart of zeroes is not a chart of gaps.
        let count = |status| (status, summary.by_status.get(&status).copied().unwrap_or(0));
        let wished = |desired| (desired, summary.by_desired.get(&desired).copied().unwrap_or(0));
        Self {
            workers: summary.workers,
            by_status: WorkerStatus::ALL.map(count).into_iter().map(|(s, n)| (s.name(), n)).collect(),
            by_desired_state: DesiredState::ALL.map(wished).into_iter().map(|(d, n)| (d.name(), n)).collect(),
            ready: summary.ready,
            idle: summary.idle,
            labs: summary.labs,
            running_nodes: summary.running_nodes,
            at: time(summary.at),
        }
    }
}
