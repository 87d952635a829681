//! What was tried for a wish so far. It is kept beside the standing decision, and read back from there:
//! a copy in memory would forget that something was launched a minute ago.

use super::{Condition, ConditionKind, ReconcilePolicy};
use crate::decision::Action;
use crate::drift::{Drift, DriftKind};
use crate::id::OperationId;
use crate::operation::retry::ErrorClass;
use crate::operation::{Operation, OperationStatus, SAFE_MODE, SUPERSEDED, Task};
use jiff::Timestamp;

/// What was done last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastAction {
    /// What.
    pub action: Action,
    /// When.
    pub at: Timestamp,
    /// The operation that does it.
    pub operation: Option<OperationId>,
}

/// Why the last attempt ended without what was wished for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// EC2's or CML's own code, or one of ours in `snake_case`.
    pub code: String,
    /// Its words.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What was tried for a wish so far, and what was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileRecord {
    /// The number of the wish that attempts, actions and failures are about.
    pub wish: u64,
    /// Attempts of ours since the wish last changed, or since it was last fulfilled for a while.
    pub attempts: u32,
    /// What was done last.
    pub last_action: Option<LastAction>,
    /// Why the last attempt, of anybody, failed.
    pub last_failure: Option<Failure>,
    /// The newest operation whose outcome is counted.
    pub counted: Option<OperationId>,
    /// How what is differs from what is wanted.
    pub drift: Vec<Drift>,
    /// How far it has come.
    pub conditions: Vec<Condition>,
}

impl ReconcileRecord {
    /// The record for the wish of that number: another wish begins anew.
    #[must_use]
    pub fn for_wish(self, wish: u64) -> Self {
        if self.wish == wish {
            return self;
        }
        Self { wish, attempts: 0, last_action: None, last_failure: None, ..self }
    }

    /// Notes that something is done, by this operation.
    #[must_use]
    pub fn acted(self, action: Action, operation: Option<OperationId>, at: Timestamp) -> Self {
        let last_action = Some(LastAction { action, at, operation });
        Self { attempts: self.attempts.saturating_add(1), last_action, ..self }
    }

    /// Notes that somebody asked for an operation: if it is one for the wish, its effect is awaited like that of an
    /// action of ours, and is no attempt of ours.
    #[must_use]
    pub fn asked(self, operation: &Operation) -> Self {
        let action = match operation.task {
            Task::CreateWorker => Action::Launch,
            Task::StartWorker => Action::Start,
            Task::StopWorker => Action::Stop,
            Task::TerminateWorker => Action::Terminate,
            _ => return self,
        };
        self.awaits(action, operation.id, operation.requested_at)
    }

    /// Notes that this operation sees to the wish since `at`: no attempt of ours, and awaited like one.
    #[must_use]
    pub fn awaits(self, action: Action, operation: OperationId, at: Timestamp) -> Self {
        Self { last_action: Some(LastAction { action, at, operation: Some(operation) }), ..self }
    }

    /// Counts how an operation ended, once. One that others overtook, a brake, or
    /// the end of the worker that was begun says nothing of the wish.
    #[must_use]
    pub fn outcome(mut self, operation: &Operation) -> Self {
        if !operation.status.is_final() || self.counted.is_some_and(|counted| operation.id <= counted) {
            return self;
        }
        self.counted = Some(operation.id);
        match (&operation.error, operation.finished_at) {
            _ if operation.status == OperationStatus::Succeeded => self.last_failure = None,
            // Nothing was done, so no effect is awaited.
            (Some(error), _) if error.code == SAFE_MODE => {
                self.last_action = self.last_action.filter(|last| last.operation != Some(operation.id));
            }
            (Some(error), Some(at)) if !matches!(error.code.as_str(), SUPERSEDED | "worker_ending") => {
                self.last_failure = Some(Failure { code: error.code.clone(), message: error.message.clone(), at });
            }
            _ => {}
        }
        self
    }

    /// It is as wished: what failed before is over. How often it was tried stays, for what does not last.
    #[must_use]
    pub fn fulfilled(self) -> Self {
        Self { last_failure: None, ..self }
    }

    /// It has been as wished for a while: what it took is forgotten.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { attempts: 0, last_action: None, last_failure: None, ..self }
    }

    /// This record, of a judgement, with what others wrote in the `other` while it was made: a newer wish stands, and
    /// so does what somebody asked for since.
    #[must_use]
    pub fn with_news_of(self, other: Self) -> Self {
        if other.wish > self.wish {
            return other;
        }
        // What this one has counted it has judged, and may have let go.
        let newer =
            |last: &LastAction| last.operation > self.counted && self.last_action.is_none_or(|own| last.at > own.at);
        let news = other.last_action.filter(|last| other.wish == self.wish && newer(last));
        Self { last_action: news.or(self.last_action), ..self }
    }

    /// When the next attempt may be made; null for at once.
    #[must_use]
    pub fn not_before(&self, policy: &ReconcilePolicy) -> Option<Timestamp> {
        let failed = self.last_failure.as_ref().map(|failure| failure.at);
        let last = failed.max(self.last_action.map(|action| action.at))?;
        let wait = policy.backoff(self.attempts);
        (!wait.is_zero()).then(|| last + wait)
    }

    /// The last attempt failed for a reason that another attempt does not change.
    #[must_use]
    pub fn failed_for_good(&self) -> Option<&Failure> {
        self.last_failure.as_ref().filter(|failure| is_terminal(&failure.code))
    }

    /// Until when the effect of the last action is waited for: it was done after `since`, and nothing says that
    /// it failed.
    #[must_use]
    pub fn grace_until(&self, since: Option<Timestamp>, policy: &ReconcilePolicy) -> Option<Timestamp> {
        let last = self.last_action.filter(|last| since.is_none_or(|since| last.at >= since))?;
        let failed = self.last_failure.as_ref().is_some_and(|failure| failure.at >= last.at);
        (!failed).then(|| last.at + policy.grace)
    }

    /// Notes what is known of the conditions now. What is not known stays as it was; what changes has a new time.
    #[must_use]
    pub fn observed(mut self, known: &[(ConditionKind, Option<bool>)], now: Timestamp) -> Self {
        for &(kind, holds) in known {
            let Some(holds) = holds else { continue };
            match self.conditions.iter_mut().find(|condition| condition.kind == kind) {
                Some(condition) if condition.holds == holds => {}
                Some(condition) => *condition = Condition { kind, holds, since: now },
                None => self.conditions.push(Condition { kind, holds, since: now }),
            }
        }
        self
    }

    /// Notes the drift there is now; what was known before keeps its time.
    #[must_use]
    pub fn drifted(self, mut drift: Vec<Drift>) -> Self {
        for one in &mut drift {
            if let Some(before) = self.drift_of(one.kind).filter(|before| before.is == one.is) {
                one.since = before.since;
            }
        }
        Self { drift, ..self }
    }

    /// The drift of that kind, if there is any.
    #[must_use]
    pub fn drift_of(&self, kind: DriftKind) -> Option<&Drift> {
        self.drift.iter().find(|drift| drift.kind == kind)
    }
}

/// Codes of ours that another attempt may change.
const MAY_CHANGE: [&str; 3] = ["deadline_exceeded", "instance_terminated", "not_reached"];

/// Whether the same attempt would fail again with this code: EC2's by their class, ours by a list.
#[must_use]
pub fn is_terminal(code: &str) -> bool {
    !MAY_CHANGE.contains(&code) && !ErrorClass::of(code).retryable()
}
