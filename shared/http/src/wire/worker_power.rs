//! Why a worker is up, and what happens next.

use app::use_cases::read_workers::WorkerDetails;
use domain::Timestamp;
use domain::decision::Action;
use domain::drift::Drift;
use domain::power::PowerDecision;
use domain::reconcile::{Condition, Failure};
use domain::worker::Worker;
use serde::Serialize;
use utoipa::ToSchema;

use super::{maybe_time, time};

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
    /// What comes next if nothing happens until then: `start`, `stop`, `launch`, `relaunch` or `terminate`.
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

/// Why an attempt failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// EC2's code, or one of ours.
    pub code: String,
    /// EC2's words, or what to do.
    pub message: String,
    /// When.
    pub at: String,
}

/// How it differs from what is wanted of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DriftView {
    /// Of a worker `stopped_by_hand`, `started_by_hand`, `terminated_by_hand`, `instance_gone`, `host_failure`,
    /// `launch_fault`, `instance_type` or `tags`; of a lab `lab_stopped` or `lab_started`.
    pub name: &'static str,
    /// What it was, or should be.
    pub was: String,
    /// What it is.
    pub is: String,
    /// What is done about it: `healed`, `respected` (for a stated time), `asked` or `left`.
    pub treatment: &'static str,
    /// Since when it is known.
    pub since: String,
}

/// Whether a condition holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConditionView {
    /// `launched`, `registered` (CML has answered since the start), `ready`, `licensed` or `drifted`.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Since when it does or does not.
    pub since: String,
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
    /// The last decision: `none`, `wait`, `launch`, `start`, `stop`, `terminate`, `relaunch`, `ask`, `forget`,
    /// `investigate` or `give_up`; null until it is judged for the wish that holds.
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
    /// Attempts of the reconciler since the wish last changed, or was last fulfilled for a while.
    pub attempts: u32,
    /// What was done last for the wish, by anybody.
    pub last_action: Option<&'static str>,
    /// When.
    pub last_action_at: Option<String>,
    /// Why the last attempt, of anybody, failed; null when it did not.
    pub last_failure: Option<FailureView>,
    /// How it differs from what is wanted of it.
    pub drift: Vec<DriftView>,
    /// How far it has come.
    pub conditions: Vec<ConditionView>,
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

/// The standing decision, if it is about the wish that holds.
fn standing(details: &WorkerDetails) -> Option<&(Timestamp, PowerDecision)> {
    let decided = details.power.as_ref()?.decided.as_ref()?;
    (decided.0 >= details.worker.wish.at).then_some(decided)
}

/// Why it was decided so, or that it is not decided yet.
fn reason(details: &WorkerDetails) -> Option<String> {
    let worker = &details.worker;
    let decided = details.power.as_ref()?.decided.as_ref()?;
    Some(standing(details).map_or_else(
        || {
            format!(
                "It is wanted {} since {}, and is to be judged for that.",
                worker.desired.name(),
                time(worker.wish.at)
            )
        },
        |_| decided.1.reason.clone(),
    ))
}

/// What comes next by the standing decision, if anything is coming.
fn next_action(decision: Option<&PowerDecision>) -> Option<&'static str> {
    decision.and_then(|decision| decision.next_action).map(Action::name)
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code.clone(), message: failure.message.clone(), at: time(failure.at) }
    }
}

impl From<&Drift> for DriftView {
    fn from(drift: &Drift) -> Self {
        Self {
            name: drift.kind.name(),
            was: drift.was.clone(),
            is: drift.is.clone(),
            treatment: drift.kind.treatment().name(),
            since: time(drift.since),
        }
    }
}

impl From<&Condition> for ConditionView {
    fn from(condition: &Condition) -> Self {
        Self { name: condition.kind.name(), holds: condition.holds, since: time(condition.since) }
    }
}

impl From<&WorkerDetails> for PowerView {
    fn from(details: &WorkerDetails) -> Self {
        let decision = standing(details).map(|(_, decision)| decision);
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
        let decided = standing(details);
        let decision = decided.map(|(_, decision)| decision);
        let record = power.as_ref().map(|due| due.record.clone()).unwrap_or_default();
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
            decision_reason: reason(details),
            decided_at: maybe_time(decided.map(|(at, _)| *at)),
            next_action: next_action(decision),
            next_action_at: maybe_time(decision.and_then(|d| d.next_action_at)),
            next_check_at: maybe_time(power.as_ref().map(|due| due.due_at)),
            attempts: record.attempts,
            last_action: record.last_action.map(|last| last.action.name()),
            last_action_at: maybe_time(record.last_action.map(|last| last.at)),
            last_failure: record.last_failure.as_ref().map(FailureView::from),
            drift: record.drift.iter().map(DriftView::from).collect(),
            conditions: record.conditions.iter().map(ConditionView::from).collect(),
            hold: None,
            idle_policy: IdlePolicyView::from(worker),
        }
    }
}
