//! Should a worker be stopped now? One pure judgement, and its reason in words.
//!
//! It leans towards leaving a worker up: it stops one only when it has seen, recently, that nobody
//! uses it. What it does not know is never taken for "idle".

use crate::activity::Activity;
use crate::decision::{Action, Decision, minute};
use crate::operation::work::Work;
use crate::worker::{DesiredState, Worker, WorkerStatus};
use jiff::{SignedDuration, Timestamp};

/// The fleet's rules, from the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerPolicy {
    /// The fleet's switch for idle shutdown.
    pub idle_shutdown: bool,
    /// How long a worker may be idle, where it has no timeout of its own.
    pub idle_timeout: SignedDuration,
    /// How long a worker stays up after each start, whatever happens.
    pub minimum_uptime: SignedDuration,
    /// How often workers are read.
    pub metrics_interval: SignedDuration,
    /// A worker that runs or changes is looked at again after this long at the latest.
    pub check_every: SignedDuration,
    /// The same for one that is settled: commands and EC2's notifications come in between.
    pub check_settled_every: SignedDuration,
    /// How long before a stop people are told of it in CML; zero for not at all.
    pub notice_ahead: SignedDuration,
}

impl Default for PowerPolicy {
    fn default() -> Self {
        Self {
            idle_shutdown: true,
            idle_timeout: SignedDuration::from_mins(60),
            minimum_uptime: SignedDuration::from_mins(15),
            metrics_interval: SignedDuration::from_mins(5),
            check_every: SignedDuration::from_mins(5),
            check_settled_every: SignedDuration::from_mins(15),
            notice_ahead: SignedDuration::from_mins(10),
        }
    }
}

impl PowerPolicy {
    /// What EC2 or CML said longer ago than this says nothing about now: three rounds of collection.
    #[must_use]
    pub fn reading_valid_for(&self) -> SignedDuration {
        self.metrics_interval * 3
    }
}

/// What is known of a worker's use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// When the controller was last read in full; null when it never was.
    pub read_at: Option<Timestamp>,
    /// Nodes that ran then.
    pub running_nodes: Option<u32>,
    /// Who used it, and when.
    pub activity: Activity,
    /// What people do on it through us.
    pub work: Work,
    /// An operation that moves it is under way.
    pub operation_under_way: bool,
    /// What that operation waits for.
    pub waiting_for: Option<String>,
    /// The operation that ends it once what is on it is saved, and what that waits for; in words.
    pub ending: Option<String>,
}

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerDecision {
    /// What to do now.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
    /// Since when nobody uses it, as far as is known.
    pub idle_since: Option<Timestamp>,
    /// What comes next, if nothing happens until then.
    pub next_action: Option<Action>,
    /// When that comes.
    pub next_action_at: Option<Timestamp>,
    /// When to judge again.
    pub next_check_at: Timestamp,
    /// CML must be read again before a stop can be judged.
    pub read_first: bool,
}

impl From<Decision> for PowerDecision {
    fn from(decision: Decision) -> Self {
        Self {
            action: decision.action,
            reason: decision.reason,
            idle_since: None,
            next_action: decision.next.map(|(action, _)| action),
            next_action_at: decision.next.map(|(_, at)| at),
            next_check_at: decision.next_check_at,
            read_first: false,
        }
    }
}

/// A stop is judged on a reading from the deadline, not from minutes before it: it is asked for this
/// long before, and may be this much older.
pub(crate) const READ_BEFORE_STOP: SignedDuration = SignedDuration::from_secs(60);
const READING_SLACK: SignedDuration = SignedDuration::from_secs(90);

/// Whether a worker that runs is to be stopped for being idle. What is not wanted to run, and not running, is no
/// matter of this judgement.
#[must_use]
pub fn decide(worker: &Worker, evidence: &Evidence, policy: &PowerPolicy, now: Timestamp) -> PowerDecision {
    let none = |reason: String| PowerDecision {
        action: Action::None,
        reason,
        idle_since: None,
        next_action: None,
        next_action_at: None,
        next_check_at: now + policy.check_every,
        read_first: false,
    };
    if worker.status != WorkerStatus::Running {
        return none(format!("Nothing to stop: the worker is {}. {}", worker.status.name(), worker.state_reason));
    }
    match (worker.desired, evidence.operation_under_way) {
        // Started by hand: it runs and is billed, so it is judged like any other.
        (DesiredState::Running, _) | (DesiredState::Stopped, false) => {}
        (DesiredState::Stopped, true) | (DesiredState::Terminated, _) => {
            return none(format!("It is being {}. {}", worker.desired.name(), worker.state_reason));
        }
    }
    if !policy.idle_shutdown {
        return none("Idle shutdown is switched off for the fleet.".into());
    }
    if !worker.idle_policy.enabled {
        return none("Idle shutdown is switched off for this worker.".into());
    }
    judge_idleness(worker, evidence, policy, now)
}

fn judge_idleness(worker: &Worker, evidence: &Evidence, policy: &PowerPolicy, now: Timestamp) -> PowerDecision {
    let unsure = |reason: String| PowerDecision {
        action: Action::Wait,
        reason,
        idle_since: None,
        next_action: None,
        next_action_at: None,
        next_check_at: now + policy.check_every,
        read_first: false,
    };
    let running_since = counted_since(worker);
    let Some(read_at) = evidence.read_at.filter(|at| *at >= running_since) else {
        return unsure("CML has not been read since the start, so nobody knows whether it is used.".into());
    };
    if now.duration_since(read_at) > policy.reading_valid_for() {
        return unsure(format!("CML was last read at {}; what happened since is not known.", minute(read_at)));
    }
    let Some(running_nodes) = evidence.running_nodes else {
        return unsure("CML does not say how many nodes run.".into());
    };
    if running_nodes > 0 {
        let nodes = if running_nodes == 1 { "1 node runs".into() } else { format!("{running_nodes} nodes run") };
        return unsure(format!("In use: {nodes}."));
    }
    if let Some(kind) = evidence.work.under_way {
        return unsure(format!("In use: {kind} is under way."));
    }
    let timeout = worker
        .idle_policy
        .timeout_minutes
        .map_or(policy.idle_timeout, |minutes| SignedDuration::from_mins(i64::from(minutes)));
    let (idle_since, since_what) = idle_since(running_since, evidence);
    let stop_at = (idle_since + timeout).max(running_since + policy.minimum_uptime);
    let idle = format!("No lab runs and nobody has used it since {} ({since_what})", minute(idle_since));
    judge_deadline(&idle, (idle_since, stop_at, timeout), read_at, policy, now)
}

/// Whether an idle worker's deadline has come, and was looked at closely enough.
fn judge_deadline(
    idle: &str,
    (idle_since, stop_at, timeout): (Timestamp, Timestamp, SignedDuration),
    read_at: Timestamp,
    policy: &PowerPolicy,
    now: Timestamp,
) -> PowerDecision {
    let looked_closely = read_at + READING_SLACK >= stop_at.max(now - policy.check_every);
    let decision = |action, reason, next_check_at: Timestamp, read_first| PowerDecision {
        action,
        reason,
        idle_since: Some(idle_since),
        next_action: Some(Action::Stop),
        next_action_at: Some(stop_at),
        next_check_at,
        read_first,
    };
    let ask_at = stop_at - READ_BEFORE_STOP;
    if now < stop_at {
        let reason = format!("{idle}. It is stopped at {} if that stays so.", minute(stop_at));
        let asking = now >= ask_at;
        // Not later than the deadline, so that the stop comes within one tick of it.
        let next = if asking { stop_at } else { ask_at.min(now + policy.check_every) };
        let notice_at = stop_at - policy.notice_ahead;
        let next = if now < notice_at { next.min(notice_at) } else { next };
        return decision(Action::Wait, reason, next, asking && !looked_closely);
    }
    if !looked_closely {
        let reason = format!("{idle}. CML is read once more before it is stopped.");
        let next = now + READ_BEFORE_STOP;
        return PowerDecision { next_action_at: Some(next), ..decision(Action::Wait, reason, next, true) };
    }
    let reason = format!("{idle}; the idle timeout is {} minutes.", timeout.as_mins());
    decision(Action::Stop, reason, now + policy.check_every, false)
}

/// CML was read so lately that a stop may be judged on it.
pub(crate) fn is_close(evidence: &Evidence, policy: &PowerPolicy, now: Timestamp) -> bool {
    evidence.read_at.is_some_and(|read_at| read_at + READING_SLACK >= now - policy.check_every)
}

/// Since when it counts as running.
fn counted_since(worker: &Worker) -> Timestamp {
    // An import may run without our knowing since when: count from what is recorded.
    // Nor may an import stop at once what was idle before anyone here knew of it.
    worker.running_since.unwrap_or(worker.updated_at).max(worker.created_at)
}

/// The latest sign of use that CML showed, or the worker's start.
#[must_use]
pub fn used_in_cml_at(worker: &Worker, activity: &Activity) -> Timestamp {
    let evidence = Evidence { activity: activity.clone(), ..Evidence::default() };
    idle_since(counted_since(worker), &evidence).0
}

/// The latest sign of use, and what it was.
fn idle_since(running_since: Timestamp, evidence: &Evidence) -> (Timestamp, String) {
    let activity = &evidence.activity;
    let mut latest = (running_since, "its start".to_owned());
    if let Some(at) = activity.nodes_ran_at.filter(|at| *at > latest.0) {
        latest = (at, "nodes last ran".to_owned());
    }
    if let Some(at) = activity.person_at.filter(|at| *at > latest.0) {
        latest = (at, format!("last {}", activity.person_did.as_deref().unwrap_or("activity")));
    }
    if let Some((at, kind)) = evidence.work.latest.filter(|(at, _)| *at > latest.0) {
        latest = (at, format!("last {kind} here"));
    }
    latest
}

/// The headline of notices of a stop in CML: by it they are found again.
pub const STOP_NOTICE_LABEL: &str = "This worker is about to be stopped";

/// What to do about the notice of a stop in CML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeStep {
    /// Nothing.
    Leave,
    /// Say this.
    Post(String),
    /// The stop was called off: take it away.
    Withdraw,
}

/// Whether people in CML are to be told of a stop, or that it was called off. `told_of` is the stretch of idleness,
/// by its begin, that they were told of last; null when nothing of it can be shown any more.
#[must_use]
pub fn stop_notice(
    told_of: Option<Timestamp>,
    decision: &PowerDecision,
    evidence: &Evidence,
    policy: &PowerPolicy,
    now: Timestamp,
) -> NoticeStep {
    if announces(decision, policy, now) {
        if told_of == decision.idle_since {
            return NoticeStep::Leave;
        }
        let at = decision.next_action_at.map(minute).unwrap_or_default();
        return NoticeStep::Post(format!(
            "This worker is stopped at {at}, with all that runs on it. {} Start a lab, or go on working in one, \
             and it stays up; or ask a manager to start it once more, or to switch idle shutdown off for it, in CML \
             Cloud Manager.",
            decision.reason
        ));
    }
    if told_of.is_none() {
        return NoticeStep::Leave;
    }
    // What is only not known for a moment calls nothing off.
    let used = evidence.running_nodes.is_some_and(|nodes| nodes > 0) || evidence.work.under_way.is_some();
    let off = match decision.action {
        // Not while it is being stopped.
        _ if evidence.operation_under_way => false,
        // A deadline that is not near: somebody used it, has given it more time, or it was started again after the
        // stop that was announced.
        Action::Wait => used || (decision.next_action_at.is_some() && !stop_is_near(decision, policy, now)),
        Action::None => true,
        _ => false,
    };
    if off { NoticeStep::Withdraw } else { NoticeStep::Leave }
}

/// Whether a decision made at `at` is one to tell people of: a stop for idleness that is near. One that is only
/// tried again is no news, and nobody can put it off.
fn announces(decision: &PowerDecision, policy: &PowerPolicy, at: Timestamp) -> bool {
    !policy.notice_ahead.is_zero()
        && decision.action == Action::Wait
        && decision.idle_since.is_some()
        && stop_is_near(decision, policy, at)
}

fn stop_is_near(decision: &PowerDecision, policy: &PowerPolicy, at: Timestamp) -> bool {
    decision.next_action == Some(Action::Stop)
        && decision.next_action_at.is_some_and(|stop_at| at + policy.notice_ahead >= stop_at)
}

#[cfg(test)]
mod tests;
