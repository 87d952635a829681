//! The judgement of a lab that somebody wished started or stopped. A lab that nobody commanded through us is
//! never touched.

use jiff::Timestamp;

use super::{ReconcilePolicy, ReconcileRecord};
use crate::actor::Actor;
use crate::decision::{Action, Decision, minute};
use crate::drift::{Drift, DriftKind};
use crate::lab::{LabAction, LabState};
use crate::worker::{Worker, WorkerStatus};

/// What somebody wished of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DesiredLab {
    /// Its nodes run.
    Started,
    /// They do not.
    Stopped,
}

impl DesiredLab {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Started, Self::Stopped];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
        }
    }

    /// The wish of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|desired| desired.name() == name)
    }

    /// What a command of that action wishes for, if it wishes for a state.
    #[must_use]
    pub fn of(action: &LabAction) -> Option<Self> {
        match action {
            LabAction::Start => Some(Self::Started),
            LabAction::Stop => Some(Self::Stopped),
            LabAction::Wipe | LabAction::Delete | LabAction::Update(_) => None,
        }
    }

    /// What brings it about.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::Started => Action::Start,
            Self::Stopped => Action::Stop,
        }
    }

    /// Whether a lab in that state is so; null where the state says neither.
    #[must_use]
    pub fn is_reached(self, state: &LabState) -> Option<bool> {
        match state {
            LabState::Started => Some(self == Self::Started),
            LabState::Stopped | LabState::DefinedOnCore => Some(self == Self::Stopped),
            LabState::Other(_) => None,
        }
    }
}

/// A wish: what, whose, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabWish {
    /// What.
    pub desired: DesiredLab,
    /// Whose.
    pub wished_by: Actor,
    /// When.
    pub wished_at: Timestamp,
}

/// What is known of the lab now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabSight {
    /// The controller shows it in this state.
    Shown(LabState),
    /// It was not shown this time, and may be there.
    NotShown,
    /// Two full listings did not have it, or the first of a new machine.
    Gone,
}

/// What is known of the lab and around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabEvidence {
    /// The lab.
    pub sight: LabSight,
    /// When it was last known to be as wished, for this wish or one before.
    pub as_wished_at: Option<Timestamp>,
    /// Since when its worker runs, where that is known. CML leaves labs stopped when its machine comes up.
    pub worker_started_at: Option<Timestamp>,
    /// When it was last stopped for the end of its worker, which did not come; now while that is being done.
    pub stopped_for_end_at: Option<Timestamp>,
    /// Why nothing can be done at its controller now.
    pub held: Option<String>,
    /// Something is being done to it.
    pub operation_under_way: bool,
}

/// What somebody did to the lab in CML, against the wish, while its worker ran. What is `known` of that for this wish
/// stands until the lab is as wished: neither a start of its worker nor what is not shown for a while is the answer.
#[must_use]
pub fn drift(wish: &LabWish, evidence: &LabEvidence, known: &ReconcileRecord, now: Timestamp) -> Option<Drift> {
    let known = known.drift.iter().find(|one| is_of_labs(one.kind) && one.since >= wish.wished_at);
    let state = match &evidence.sight {
        LabSight::Shown(state) => state,
        LabSight::NotShown => return known.cloned(),
        LabSight::Gone => return None,
    };
    match wish.desired.is_reached(state) {
        Some(true) => return None,
        Some(false) if known.is_none() && !evidence.operation_under_way => {}
        Some(false) | None => return known.cloned(),
    }
    let as_wished_at = evidence.as_wished_at.filter(|at| *at >= wish.wished_at)?;
    // It was stopped with its machine, or by us, and by no person. Where that is not known, it may have been one.
    let for_end = evidence.stopped_for_end_at.filter(|_| wish.desired == DesiredLab::Started);
    let stopped = evidence.worker_started_at.max(for_end);
    if stopped.is_some_and(|stopped| stopped > as_wished_at) {
        return None;
    }
    let kind = match wish.desired {
        DesiredLab::Started => DriftKind::LabStopped,
        DesiredLab::Stopped => DriftKind::LabStarted,
    };
    Some(Drift { kind, was: wish.desired.name().into(), is: state.name().into(), since: now })
}

/// Judges one lab. `record` has the drift there is now, with the time since when it is known.
#[must_use]
pub fn decide(
    wish: Option<&LabWish>,
    evidence: &LabEvidence,
    record: &ReconcileRecord,
    policy: &ReconcilePolicy,
    now: Timestamp,
) -> Decision {
    let settled = now + policy.check_settled_every;
    let Some(wish) = wish else {
        return said(Action::None, "Nobody started or stopped it here, so it is left as it is.", settled);
    };
    let state = match &evidence.sight {
        LabSight::Gone => return said(Action::Forget, "Its controller has it no more.", settled),
        LabSight::NotShown => return said(Action::Wait, "Its controller does not show it now.", settled),
        LabSight::Shown(state) => state,
    };
    match wish.desired.is_reached(state) {
        Some(true) => {
            let reason = format!("It is {}, as wished by {}.", wish.desired.name(), wish.wished_by);
            return said(Action::None, reason, settled);
        }
        None => {
            let reason = format!("CML shows {}, which is neither started nor stopped.", state.name());
            return said(Action::Wait, reason, settled);
        }
        Some(false) => {}
    }
    let wished = format!("It is wished {} by {}, and CML shows {}.", wish.desired.name(), wish.wished_by, state.name());
    if let Some(held) = &evidence.held {
        return said(Action::Wait, format!("{wished} {held}"), settled);
    }
    if evidence.operation_under_way {
        return said(Action::Wait, format!("{wished} An operation on it is under way."), now + policy.check_every);
    }
    judge_attempt(wish, evidence, record, policy, (&wished, now))
}

/// Whether what is not as wished may be mended now.
fn judge_attempt(
    wish: &LabWish,
    evidence: &LabEvidence,
    record: &ReconcileRecord,
    policy: &ReconcilePolicy,
    (wished, now): (&str, Timestamp),
) -> Decision {
    let action = wish.desired.action();
    let settled = now + policy.check_settled_every;
    let until = |at: Timestamp, reason: String| Decision {
        next: Some((action, at)),
        ..said(Action::Wait, reason, at.min(settled).max(now))
    };
    if let Some(drift) = record.drift.iter().find(|drift| is_of_labs(drift.kind)) {
        let respected_until = drift.since + policy.manual_change_hold;
        if now < respected_until {
            return until(
                respected_until,
                format!(
                    "{wished} Somebody changed that in CML, which was seen at {}; it is respected until {}, or until \
                     somebody starts or stops it here.",
                    minute(drift.since),
                    minute(respected_until)
                ),
            );
        }
    }
    if let Some(failure) = record.failed_for_good() {
        let reason = format!(
            "{wished} The last attempt failed, and another would fail like it: {}: {} Mend that, then {} it again.",
            failure.code,
            failure.message,
            action.name()
        );
        return said(Action::GiveUp, reason, settled);
    }
    if record.attempts >= policy.attempts_max {
        let why =
            record.last_failure.as_ref().map(|failure| format!(" The last: {}: {}", failure.code, failure.message));
        let reason = format!(
            "{wished} It was tried {} times in vain.{} Look at it in CML, then {} it again.",
            record.attempts,
            why.unwrap_or_default(),
            action.name()
        );
        return said(Action::GiveUp, reason, settled);
    }
    if let Some(at) = record.grace_until(Some(wish.wished_at), policy).filter(|at| now < *at) {
        return until(at, format!("{wished} That was asked for a moment ago; it has until {} to show.", minute(at)));
    }
    if let Some(at) = record.not_before(policy).filter(|at| now < *at) {
        return until(at, format!("{wished} Attempt {} comes at {}.", record.attempts + 1, minute(at)));
    }
    let since = |at: Option<Timestamp>| at.filter(|at| evidence.as_wished_at.is_some_and(|was| *at > was));
    let why = match (since(evidence.worker_started_at), since(evidence.stopped_for_end_at)) {
        (Some(started), _) => {
            format!(" Its worker was started at {}, and CML leaves labs as they were stopped.", minute(started))
        }
        (None, Some(_)) => " It was stopped for the end of its worker, which did not come.".to_owned(),
        (None, None) => String::new(),
    };
    said(action, format!("{wished}{why}"), now + policy.grace)
}

/// What stands of what was `decided` of a lab. While its worker does not run, and until CML was read since its start,
/// that is only why: what was decided before was about another run of it.
#[must_use]
pub fn standing(decided: Option<(Timestamp, Decision)>, worker: &Worker) -> Option<(Timestamp, Decision)> {
    let since = worker.running_since.unwrap_or(worker.created_at);
    let (at, reason) = match worker.status {
        WorkerStatus::Running if decided.as_ref().is_some_and(|(at, _)| *at < since) => {
            (since, format!("Its worker runs since {}, and CML was not read since.", minute(since)))
        }
        WorkerStatus::Running => return decided,
        status => {
            let since = worker.status_since;
            (since, format!("Its worker is {} since {}.", status.name(), minute(since)))
        }
    };
    let reason = format!("{reason} It is judged when CML shows it.");
    Some((at, said(Action::Wait, reason, at)))
}

fn is_of_labs(kind: DriftKind) -> bool {
    matches!(kind, DriftKind::LabStopped | DriftKind::LabStarted)
}

fn said(action: Action, reason: impl Into<String>, next_check_at: Timestamp) -> Decision {
    Decision { action, reason: reason.into(), next: None, next_check_at }
}

#[cfg(test)]
mod tests;
