//! What is wanted, and what the reconciler decided and did.

use std::collections::BTreeMap;

use app::store::{Counts, LastRun};
use app::use_cases::reconcile_commands::ReconciliationStats;
use domain::InvalidField;
use domain::decision::Action;
use domain::worker::DesiredState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fleet::brakes;
use super::{maybe_time, time};

/// What is wanted of a worker.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDesiredState {
    /// `running`, `stopped` or `terminated`.
    #[schema(example = "running")]
    pub desired_state: String,
}

impl SetDesiredState {
    /// The wish.
    ///
    /// # Errors
    /// There is no such state.
    pub fn desired_state(&self) -> Result<DesiredState, InvalidField> {
        DesiredState::from_name(&self.desired_state)
            .ok_or_else(|| InvalidField::new("desired_state", "must be running, stopped or terminated"))
    }
}

/// What the reconciler decided and did, of the whole fleet.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ReconciliationStats)]
pub struct ReconciliationStatsView {
    /// `ok`, `frozen` (nothing destructive is done) or `safe_mode` (nothing is done at all).
    pub status: &'static str,
    /// Since when the fleet is frozen.
    pub frozen_since: Option<String>,
    /// Why.
    pub frozen_reason: Option<String>,
    /// Of workers.
    pub workers: ReconciliationCountsView,
    /// Of labs that somebody wished started or stopped.
    pub labs: ReconciliationCountsView,
    /// The schedule's last run; null when it never ran.
    pub last_run: Option<LastRunView>,
    /// The operation that judges the whole fleet, while there is one.
    pub run_id: Option<String>,
    /// When this was read.
    pub at: String,
}

/// What was decided and done, in numbers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReconciliationCountsView {
    /// Things that were judged and are there still.
    pub total: u64,
    /// Those that are not as they are wished.
    pub in_need: u64,
    /// Those given up, or of which the last try failed.
    pub errors: u64,
    /// Things by the decision that stands.
    pub decisions: BTreeMap<&'static str, u64>,
    /// All that was ever done, by kind.
    pub actions: BTreeMap<&'static str, u64>,
}

/// A run of the schedule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastRunView {
    /// When.
    pub at: String,
    /// Workers that were due.
    pub workers: u64,
    /// Workers whose labs were due.
    pub labs: u64,
    /// Operations that were due.
    pub operations: u64,
}

impl From<&Counts> for ReconciliationCountsView {
    fn from(counts: &Counts) -> Self {
        // Every name is there, so that a chart of zeroes is not a chart of gaps.
        let of = |counts: &BTreeMap<String, u64>, action: Action| {
            (action.name(), counts.get(action.name()).copied().unwrap_or(0))
        };
        Self {
            total: counts.total,
            in_need: counts.in_need,
            errors: counts.errors,
            decisions: Action::ALL.into_iter().map(|action| of(&counts.decisions, action)).collect(),
            actions: Action::ALL
                .into_iter()
                .filter(|action| action.acts())
                .map(|action| of(&counts.actions, action))
                .collect(),
        }
    }
}

impl From<&LastRun> for LastRunView {
    fn from(run: &LastRun) -> Self {
        Self { at: time(run.at), workers: run.workers, labs: run.labs, operations: run.operations }
    }
}

impl From<&ReconciliationStats> for ReconciliationStatsView {
    fn from(stats: &ReconciliationStats) -> Self {
        Self {
            status: brakes(&stats.fleet, stats.safe_mode),
            frozen_since: maybe_time(stats.fleet.frozen_since),
            frozen_reason: stats.fleet.frozen_reason.clone(),
            workers: ReconciliationCountsView::from(&stats.counts.workers),
            labs: ReconciliationCountsView::from(&stats.counts.labs),
            last_run: stats.last_run.as_ref().map(LastRunView::from),
            run_id: stats.going.map(|id| id.to_string()),
            at: time(stats.at),
        }
    }
}
