//! Why a worker is up, and what happens next.

use app::use_cases::read_workers::WorkerDetails;
use domain::power::PowerDecision;
use domain::worker::Worker;
use serde::Serialize;
use utoipa::ToSchema;

use super::maybe_time;

/// When a worker may be stopped for being idle.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdlePolicyView {
    /// The worker's switch.
    pub enabled: bool,
    /// Its own timeout; null for the fleet's.
    pub timeout_minutes: Option<u32>,
}

/// Why it is up, and what happens next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerView {
    /// Why it is in its state.
    pub state_reason: String,
    /// Since when nobody uses it.
    pub idle_since: Option<String>,
    /// What comes next, if anything: `stop`.
    pub next_action: Option<&'static str>,
    /// When it comes.
    pub next_action_at: Option<String>,
    /// What holds it up; null while nothing does.
    pub hold: Option<HoldView>,
}

/// A hold on a worker's power.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// Until when.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// A worker's power, explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkerPower {
    /// The worker.
    pub worker_id: String,
    /// Its status.
    pub status: &'static str,
    /// What is wanted.
    pub desired_state: &'static str,
    /// Why it is in its state.
    pub state_reason: String,
    /// Since when it runs.
    pub running_since: Option<String>,
    /// Since when nobody uses it.
    pub idle_since: Option<String>,
    /// When a person last used it.
    pub last_activity_at: Option<String>,
    /// What they did, in CML's word.
    pub last_activity: Option<String>,
    /// Nodes that ran when CML was last read.
    pub running_nodes: Option<u32>,
    /// When CML was last read in full.
    pub last_read_at: Option<String>,
    /// The last decision: `none`, `wait` or `stop`.
    pub decision: Option<&'static str>,
    /// Why it was decided so.
    pub decision_reason: Option<String>,
    /// When it was decided.
    pub decided_at: Option<String>,
    /// What comes next, if anything.
    pub next_action: Option<&'static str>,
    /// When it comes.
    pub next_action_at: Option<String>,
    /// When it is judged again.
    pub next_check_at: Option<String>,
    /// What holds it up; null while nothing does.
    pub hold: Option<HoldView>,
    /// When it may be stopped for being idle.
    pub idle_policy: IdlePolicyView,
}

impl From<&Worker> for IdlePolicyView {
    fn from(worker: &Worker) -> Self {
        Self { enabled: worker.idle_policy.enabled, timeout_minutes: worker.idle_policy.timeout_minutes }
    }
}

/// What comes next by the standing decision, if anything is coming.
fn next_action(decision: Option<&PowerDecision>) -> Option<&'static str> {
    decision.and_then(|decision| decision.next_action_at).map(|_| "stop")
}

impl From<&WorkerDetails> for PowerView {
    fn from(details: &WorkerDetails) -> Self {
        let decision = details.power.as_ref().and_then(|due| due.decided.as_ref()).map(|(_, decision)| decision);
        Self {
            state_reason: details.worker.state_reason.clone(),
            idle_since: maybe_time(decision.and_then(|d| d.idle_since)),
            next_action: next_action(decision),
            next_action_at: maybe_time(decision.and_then(|d| d.next_action_at)),
            hold: None,
        }
    }
}

impl From<&WorkerDetails> for WorkerPower {
    fn from(details: &WorkerDetails) -> Self {
        let WorkerDetails { worker, telemetry, power, .. } = details;
        let decided = power.as_ref().and_then(|due| due.decided.as_ref());
        let decision = decided.map(|(_, decision)| decision);
        Self {
            worker_id: worker.id.to_string(),
            status: worker.status.name(),
            desired_state: worker.desired.name(),
            state_reason: worker.state_reason.clone(),
            running_since: maybe_time(worker.running_since),
            idle_since: maybe_time(decision.and_then(|d| d.idle_since)),
            last_activity_at: maybe_time(telemetry.cml.activity.person_at),
            last_activity: telemetry.cml.activity.person_did.clone(),
            running_nodes: telemetry.cml.cml.running_nodes,
            last_read_at: maybe_time(telemetry.cml.read_at),
            decision: decision.map(|d| d.action.name()),
            decision_reason: decision.map(|d| d.reason.clone()),
            decided_at: maybe_time(decided.map(|(at, _)| *at)),
            next_action: next_action(decision),
            next_action_at: maybe_time(decision.and_then(|d| d.next_action_at)),
            next_check_at: maybe_time(power.as_ref().map(|due| due.due_at)),
            hold: None,
            idle_policy: IdlePolicyView::from(worker),
        }
    }
}
