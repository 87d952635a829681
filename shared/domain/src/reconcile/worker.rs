//! The judgement of a worker: what is wanted and what EC2 showed give one action, with its reason.
//!
//! Where it runs as wished, [`power`] judges whether anybody uses it; the two never
//! fight, because a stop for idleness changes the wish.

mod drift;

pub use drift::{MANAGED_TAG_LOST, TAGS_DIFFER_FOR, drift, is_unmanaged};

use super::{ConditionKind, ReconcilePolicy, ReconcileRecord};
use crate::decision::{Action, Decision, minute};
use crate::drift::{Drift, DriftKind};
use crate::power::{self, Evidence, PowerDecision, PowerPolicy};
use crate::worker::observe::MISSING_AGAIN_AFTER;
use crate::worker::{Departure, DesiredState, Worker, WorkerStatus};
use jiff::{SignedDuration, Timestamp};

/// The rules a worker is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// Of idle shutdown.
    pub power: &'a PowerPolicy,
    /// Of reconciliation.
    pub reconcile: &'a ReconcilePolicy,
}

/// Judges a worker, which tells both what is wanted and what EC2 showed. `record` is about the wish that holds.
#[must_use]
pub fn decide(
    worker: &Worker,
    evidence: &Evidence,
    record: &ReconcileRecord,
    policies: Policies<'_>,
    now: Timestamp,
) -> PowerDecision {
    let case = Case { worker, evidence, record, policies, policy: policies.reconcile, now };
    let judged = match (&evidence.ending, worker.desired) {
        (Some(ending), _) if !worker.is_over() => case.wait(ending.clone()),
        (_, DesiredState::Running) => case.wanted_running(),
        (_, DesiredState::Stopped) => case.wanted_stopped(),
        (_, DesiredState::Terminated) => case.wanted_gone(),
    };
    // What EC2 did not list is looked at again as soon as a second empty answer counts.
    let again = worker.missing_since.map(|since| since + MISSING_AGAIN_AFTER).filter(|at| *at > now);
    let next_check_at = again.map_or(judged.next_check_at, |at| judged.next_check_at.min(at));
    let reason = match worker.missing_since.filter(|_| worker.has_instance()) {
        Some(since) => format!(
            "{} EC2 did not list its instance at {}, which is believed when it does not twice.",
            judged.reason,
            minute(since)
        ),
        None => judged.reason,
    };
    PowerDecision { next_check_at, reason, ..judged }
}

struct Case<'a> {
    worker: &'a Worker,
    evidence: &'a Evidence,
    record: &'a ReconcileRecord,
    policies: Policies<'a>,
    policy: &'a ReconcilePolicy,
    now: Timestamp,
}

impl Case<'_> {
    fn wanted_running(&self) -> PowerDecision {
        let worker = self.worker;
        let departure = worker.departure.map(|departure| departure.kind);
        match worker.status {
            WorkerStatus::Running => self.runs_as_wished(),
            _ if self.evidence.operation_under_way => self.wait(self.under_way()),
            WorkerStatus::Provisioning | WorkerStatus::Starting => self.boots(),
            WorkerStatus::Stopping | WorkerStatus::Terminating | WorkerStatus::Unknown => self.in_between(),
            WorkerStatus::Pending => self.attempt(Action::Launch, "It is wanted running, and has no instance."),
            WorkerStatus::Stopped => match (worker.departure, departure) {
                (Some(by_hand), Some(DriftKind::StoppedByHand)) => self.stopped_by_hand(by_hand),
                (_, Some(DriftKind::HostFailure)) => {
                    self.attempt(Action::Start, &format!("Its host took it down. {}", self.ec2_says()))
                }
                _ => self.attempt(Action::Start, "It is wanted running, and is stopped."),
            },
            WorkerStatus::Failed => match departure {
                Some(DriftKind::HostFailure) => self.attempt(
                    Action::Relaunch,
                    &format!("It was lost to its host, and what was on it with it. {}", self.ec2_says()),
                ),
                Some(_) => {
                    let reason = format!(
                        "EC2 ended the instance for what it was launched with. {} Mend that and start it again.",
                        self.ec2_says()
                    );
                    self.decision(Action::Ask, reason, None, self.now + self.policy.check_settled_every)
                }
                None => self.attempt(Action::Launch, "It is wanted running, and its launch failed."),
            },
            WorkerStatus::Terminated if worker.is_wanted_back() => {
                self.attempt(Action::Launch, "It is wanted back, and has no instance.")
            }
            WorkerStatus::Terminated => self.ask(),
        }
    }

    fn wanted_stopped(&self) -> PowerDecision {
        let worker = self.worker;
        match worker.status {
            _ if worker.status != WorkerStatus::Stopped && self.evidence.operation_under_way => {
                self.wait(self.under_way())
            }
            WorkerStatus::Running => match worker.departure {
                Some(by_hand) if by_hand.kind == DriftKind::StartedByHand => self.started_by_hand(by_hand),
                _ => self.attempt(Action::Stop, "It is wanted stopped, and runs."),
            },
            WorkerStatus::Provisioning | WorkerStatus::Starting => self.boots(),
            WorkerStatus::Stopping | WorkerStatus::Terminating | WorkerStatus::Unknown => self.in_between(),
            WorkerStatus::Pending if !worker.never_had_instance() => {
                self.wait("EC2 is asked what came of its launch, which is not wanted any more.".into())
            }
            WorkerStatus::Pending => self.settled("It was never launched, and is not wanted running.".into()),
            WorkerStatus::Stopped => self.settled(format!("Stopped, as wished. {}", worker.state_reason)),
            WorkerStatus::Failed => {
                self.settled(format!("It has no instance, and is launched when it is started. {}", worker.state_reason))
            }
            WorkerStatus::Terminated => self.ask(),
        }
    }

    fn wanted_gone(&self) -> PowerDecision {
        if self.worker.is_over() {
            let reason = format!("Gone, as wished. {}", self.worker.state_reason);
            return self.decision(Action::Forget, reason, None, self.now + self.policy.check_settled_every);
        }
        if self.evidence.operation_under_way {
            return self.wait(self.under_way());
        }
        if self.worker.status == WorkerStatus::Terminating {
            return self.in_between();
        }
        // An instance that nobody wants is billed: this alone is never given up.
        let why = format!("It is wanted gone, and is {}.", self.worker.status.name());
        self.attempt(Action::Terminate, &why)
    }

    /// It runs, and is wanted to: is it used, and does CML come up at all?
    fn runs_as_wished(&self) -> PowerDecision {
        let since = self.worker.running_since.unwrap_or(self.worker.updated_at).max(self.worker.created_at);
        let answered = self.evidence.read_at.is_some_and(|at| at >= since);
        let judged = power::decide(self.worker, self.evidence, self.policies.power, self.now);
        if answered || self.now < since + self.policy.grace {
            return judged;
        }
        PowerDecision {
            action: Action::Investigate,
            reason: format!(
                "It runs since {}, and CML could not be read since. {} minutes are enough as a rule: look at its \
                 console output, whether CML can be reached, and whether its credentials fit.",
                minute(since),
                self.policy.grace.as_mins()
            ),
            ..judged
        }
    }

    fn boots(&self) -> PowerDecision {
        let (status, since) = (self.worker.status.name(), self.worker.status_since);
        if self.now < since + self.policy.grace {
            return self.wait(format!("It boots since {}. {}", minute(since), self.worker.state_reason));
        }
        let reason = format!(
            "It is {status} since {}. {} minutes are enough as a rule: look at its console output.",
            minute(since),
            self.policy.grace.as_mins()
        );
        self.decision(Action::Investigate, reason, None, self.now + self.policy.check_every)
    }

    /// EC2 is at it, or says something we do not know: nothing to be done until it is through.
    fn in_between(&self) -> PowerDecision {
        let status = self.worker.status;
        self.wait(match status {
            WorkerStatus::Unknown => {
                "EC2 reports a state that this version does not know; nothing is done about it.".into()
            }
            _ => format!("It is {}. {}", status.name(), self.worker.state_reason),
        })
    }

    fn stopped_by_hand(&self, by_hand: Departure) -> PowerDecision {
        let until = by_hand.at + self.policy.manual_change_hold;
        let stopped = format!("It was stopped outside CML Cloud Manager at {}", minute(by_hand.at));
        if self.now >= until {
            let why = format!("{stopped}, and was left so for {}.", self.hold());
            return self.attempt(Action::Start, &why);
        }
        let reason = format!("{stopped}, and is left so until {}, or until somebody starts it.", minute(until));
        self.wait_for(reason, (Action::Start, until))
    }

    /// Somebody started what is wanted stopped. It is judged like any other that runs; when the hold is over it
    /// is stopped, unless it is in use.
    fn started_by_hand(&self, by_hand: Departure) -> PowerDecision {
        let until = by_hand.at + self.policy.manual_change_hold;
        let started = format!("It was started outside CML Cloud Manager at {}", minute(by_hand.at));
        if self.now < until {
            let judged = power::decide(self.worker, self.evidence, self.policies.power, self.now);
            if judged.action == Action::Stop {
                let idle_since = judged.idle_since;
                return PowerDecision { idle_since, ..self.attempt(Action::Stop, &judged.reason) };
            }
            // It is stopped by whichever comes first, and one time is told.
            let (next_at, reason) = match judged.next_action_at {
                Some(at) if at <= until => (at, format!("{started}. {}", judged.reason)),
                Some(_) => (
                    until,
                    format!("{started}, and is left so until {}, and for as long as it is in use.", minute(until)),
                ),
                None => (until, format!("{started}, and is left so until {}. {}", minute(until), judged.reason)),
            };
            return PowerDecision {
                action: Action::Wait,
                reason,
                next_action: Some(Action::Stop),
                next_action_at: Some(next_at),
                next_check_at: judged.next_check_at.min(until),
                ..judged
            };
        }
        // What was read before this start, or long ago, says nothing of who uses it now.
        let fresh = self.now - self.policies.power.reading_valid_for();
        let fresh = self.worker.running_since.map_or(fresh, |since| fresh.max(since));
        let nodes = self.evidence.running_nodes.filter(|_| self.evidence.read_at.is_some_and(|at| at >= fresh));
        match (self.evidence.work.under_way, nodes) {
            (Some(kind), _) => self.wait(format!("{started}, and is in use: {kind} is under way.")),
            (None, Some(0)) => {
                let why = format!("{started}, and was left so for {}.", self.hold());
                if power::is_close(self.evidence, self.policies.power, self.now) {
                    return self.attempt(Action::Stop, &why);
                }
                let reason = format!("{why} CML is read once more before it is stopped.");
                let again = self.now + power::READ_BEFORE_STOP;
                PowerDecision { read_first: true, ..self.wait_for(reason, (Action::Stop, again)) }
            }
            (None, Some(nodes)) => self.wait(format!("{started}, and is in use: nodes that run: {nodes}.")),
            (None, None) => self.wait(format!(
                "{started}, and was left so for {}. CML does not tell whether it is in use, so it is left until it \
                 does, or until somebody stops it.",
                self.hold()
            )),
        }
    }

    fn hold(&self) -> String {
        let hold = self.policy.manual_change_hold;
        if hold.as_hours() >= 1 { format!("{} hours", hold.as_hours()) } else { format!("{} minutes", hold.as_mins()) }
    }

    /// Gone against the wish: only a person can say what is to become of it.
    fn ask(&self) -> PowerDecision {
        let how = match self.worker.departure.map(|departure| departure.kind) {
            Some(DriftKind::TerminatedByHand) => "It was terminated outside CML Cloud Manager",
            _ => "EC2 has its instance no more",
        };
        let wished = self.worker.desired.name();
        let reason = format!(
            "{how}, with all that was on it, though it is wanted {wished}. {} It is not replaced by an empty one \
             unasked: start it to launch a new one, or delete it.",
            self.ec2_says()
        );
        self.decision(Action::Ask, reason, None, self.now + self.policy.check_settled_every)
    }

    /// What is to be done is done, unless it was just done, failed a moment ago, or too often, or for good.
    fn attempt(&self, action: Action, why: &str) -> PowerDecision {
        let (record, policy) = (self.record, self.policy);
        let never_given_up = action == Action::Terminate;
        let failed = record.last_failure.as_ref().map(|last| format!("{}: {}", last.code, last.message));
        if !never_given_up {
            if let (Some(_), Some(failed)) = (record.failed_for_good(), &failed) {
                let again = "The next attempt would fail as the last one did";
                return self.give_up(&format!("{why} {again} ({failed}). Mend that and ask for it again."));
            }
            if record.attempts >= policy.attempts_max {
                let failed = failed.map(|failed| format!(" The last one: {failed}.")).unwrap_or_default();
                return self.give_up(&format!(
                    "{why} {} attempts failed.{failed} Ask for it again to begin anew.",
                    record.attempts
                ));
            }
        }
        let departed = self.worker.departure.map(|departure| departure.at);
        if let Some(until) = record.grace_until(departed, policy).filter(|until| *until > self.now) {
            let reason = format!("{why} That was seen to already; its effect is awaited until {}.", minute(until));
            return self.wait_for(reason, (action, until));
        }
        let refused = record.failed_for_good().map(|last| last.at + policy.backoff_most);
        if let Some(at) = record.not_before(policy).max(refused).filter(|at| *at > self.now) {
            let failed = failed.map(|failed| format!(" The last attempt failed: {failed}.")).unwrap_or_default();
            return self.wait_for(format!("{why}{failed} The next attempt is at {}.", minute(at)), (action, at));
        }
        self.decision(action, why.to_owned(), None, self.now + policy.check_every)
    }

    fn give_up(&self, reason: &str) -> PowerDecision {
        self.decision(Action::GiveUp, reason.to_owned(), None, self.now + self.policy.check_settled_every)
    }

    fn under_way(&self) -> String {
        let waits = self.evidence.waiting_for.as_ref().map(|what| format!(", and waits for {what}"));
        format!("An operation on it is under way{}. {}", waits.unwrap_or_default(), self.worker.state_reason)
    }

    fn ec2_says(&self) -> String {
        let words = self.worker.status_detail.as_deref();
        words.map(|words| format!("EC2 says: {words}.")).unwrap_or_default().replace("..", ".")
    }

    fn settled(&self, reason: String) -> PowerDecision {
        self.decision(Action::None, reason, None, self.now + self.policy.check_settled_every)
    }

    fn wait(&self, reason: String) -> PowerDecision {
        self.decision(Action::Wait, reason, None, self.now + self.policy.check_every)
    }

    /// Nothing until that comes; it is looked at in between all the same.
    fn wait_for(&self, reason: String, next: (Action, Timestamp)) -> PowerDecision {
        self.decision(Action::Wait, reason, Some(next), next.1.min(self.now + self.policy.check_settled_every))
    }

    #[expect(clippy::unused_self, reason = "reads like the others")]
    fn decision(
        &self,
        action: Action,
        mut reason: String,
        next: Option<(Action, Timestamp)>,
        next_check_at: Timestamp,
    ) -> PowerDecision {
        // Where EC2 has no words there is a gap.
        while let Some(gap) = reason.find("  ") {
            reason.remove(gap);
        }
        reason.truncate(reason.trim_end().len());
        Decision { action, reason, next, next_check_at }.into()
    }
}

/// How long a worker that is due may not be judged, before that is said instead of what was decided before.
const UNJUDGED_FOR: SignedDuration = SignedDuration::from_mins(5);
/// How soon a worker is judged again that could not be judged.
pub const JUDGE_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// What is said of a worker that should have been judged long ago, and could not be for that reason; null while what
/// was decided at `decided_at` may stand.
#[must_use]
pub fn unjudged(decided_at: Timestamp, why: &str, policy: &ReconcilePolicy, now: Timestamp) -> Option<PowerDecision> {
    let long = policy.check_settled_every + UNJUDGED_FOR;
    (now >= decided_at + long).then(|| {
        let reason = format!("It could not be judged for {} minutes: {why}. It is tried every minute.", long.as_mins());
        let next_check_at = now + JUDGE_AGAIN_AFTER;
        Decision { action: Action::Investigate, reason, next: None, next_check_at }.into()
    })
}

/// What is known of a worker's conditions; `licensed` as CML last told, which says nothing where it has no instance.
#[must_use]
pub fn conditions(
    worker: &Worker,
    evidence: &Evidence,
    licensed: Option<bool>,
    drift: &[Drift],
) -> [(ConditionKind, Option<bool>); 5] {
    let registered = worker.running_since.is_some_and(|since| evidence.read_at.is_some_and(|read_at| read_at >= since));
    [
        (ConditionKind::Launched, Some(worker.has_instance())),
        (ConditionKind::Registered, Some(registered)),
        (ConditionKind::Ready, Some(worker.service == crate::metrics::ServiceStatus::Available)),
        (ConditionKind::Licensed, if worker.has_instance() { licensed } else { Some(false) }),
        (ConditionKind::Drifted, Some(!drift.is_empty())),
    ]
}

#[cfg(test)]
mod tests;
