//! What an observation means. Observations report facts; they never change a wish.

use super::{DesiredState, InstanceFacts, Worker, WorkerEvent, WorkerStatus};
use crate::drift::DriftKind;
use crate::instance::{InstanceObservation, InstanceState};
use crate::metrics::ServiceStatus;
use jiff::{SignedDuration, Timestamp};

/// The second empty answer counts only this long after the first: `DescribeInstances` lags behind
/// a launch by seconds, and in a bad hour by minutes. Source: EC2 API reference, "Eventual consistency".
pub const MISSING_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// And only this long after it: two that lie further apart may be two gaps in EC2's lists, with the instance listed
/// between them while nobody looked. What was missed is looked at again as soon as that counts
/// (`reconcile::worker::decide`); that leaves three ticks of a minute for a look that is late or fails.
pub const MISSING_AGAIN_WITHIN: SignedDuration = SignedDuration::from_mins(8);

/// What one more empty answer tells of an instance that was, or was not, missed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is the first of which anything is known, or the one before was too long ago: look again.
    First,
    /// It comes too soon after the first to tell more.
    TooSoon,
    /// It is the second: the instance is not there.
    Second,
}

impl Miss {
    /// What an empty answer tells `now`, if one was given first at `since`.
    #[must_use]
    pub fn of(since: Option<Timestamp>, now: Timestamp) -> Self {
        match since.map(|since| now.duration_since(since)) {
            Some(ago) if ago < MISSING_AGAIN_AFTER => Self::TooSoon,
            Some(ago) if ago <= MISSING_AGAIN_WITHIN => Self::Second,
            _ => Self::First,
        }
    }
}

/// What EC2 answered when asked for a worker's instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// It listed the instance.
    Present(&'a InstanceObservation),
    /// It did not.
    Absent,
}

/// The events an EC2 answer gives; none when it tells nothing new.
#[must_use]
pub fn observe_instance(worker: &Worker, seen: Seen<'_>, now: Timestamp) -> Vec<WorkerEvent> {
    if worker.status.is_final() {
        return vec![];
    }
    match seen {
        Seen::Present(seen) => present(worker, seen, now),
        Seen::Absent => absent(worker, now),
    }
}

fn present(worker: &Worker, seen: &InstanceObservation, now: Timestamp) -> Vec<WorkerEvent> {
    let mut events = Vec::new();
    let facts = InstanceFacts::from(seen);
    match &worker.instance {
        None if worker.former_instance.as_ref() == Some(&facts.id) => return vec![],
        None => events.push(WorkerEvent::InstanceAttached(facts)),
        Some(known) if known.id != facts.id => return vec![],
        Some(known) => {
            if worker.missing_since.is_some() {
                events.push(WorkerEvent::InstanceSeenAgain);
            }
            if *known != facts {
                events.extend(facts_drift(worker, known, seen));
                events.push(WorkerEvent::InstanceChanged(facts));
            }
        }
    }
    let to = status_of(worker, seen);
    let detail = seen.state_reason_message.clone().filter(|_| to != WorkerStatus::Running);
    let launched_at = seen.launched_at.filter(|at| *at <= now);
    // It may have stopped and started between two looks: what was known of the run before is void.
    let ran_anew = to == WorkerStatus::Running && launched_at > worker.running_since;
    if to != worker.status || ran_anew || (detail.is_some() && detail != worker.status_detail) {
        let running_since = (to == WorkerStatus::Running).then(|| launched_at.unwrap_or(now));
        let unwished = (to != worker.status).then(|| unwished(worker, to, seen, now)).flatten();
        let (kind, reason) = unwished.map_or((None, None), |(kind, reason)| (kind, Some(reason)));
        events.push(WorkerEvent::StatusChanged { from: worker.status, to, detail, reason, running_since });
        events.extend(kind.map(|kind| status_drift(worker, kind, to)));
    }
    events.extend(service_event(worker, to, worker.service));
    events
}

fn absent(worker: &Worker, now: Timestamp) -> Vec<WorkerEvent> {
    // Never launched: there is nothing to miss, and nothing to wait for once nobody wants it.
    if worker.never_had_instance() {
        return match worker.desired {
            DesiredState::Terminated => gone(worker, "It never had an instance.", None),
            DesiredState::Running | DesiredState::Stopped => vec![],
        };
    }
    // Launched but not yet seen: only a wish not to have it running makes an empty answer matter;
    // the launch itself is asked again with the same token.
    if worker.instance.is_none() && worker.desired == DesiredState::Running {
        return vec![];
    }
    // Lost to its host, and forgotten by EC2 an hour later: it stays failed, to be started again.
    if worker.status == WorkerStatus::Failed && worker.desired != DesiredState::Terminated {
        return vec![];
    }
    // EC2 said no to the launch: there is nothing of it that its lists could be late with.
    let refused = worker.instance.is_none() && worker.launch_refused;
    match Miss::of(worker.missing_since, now) {
        _ if refused => {}
        Miss::First => return vec![WorkerEvent::InstanceMissing],
        Miss::TooSoon => return vec![],
        Miss::Second => {}
    }
    if worker.instance.is_none() && worker.desired == DesiredState::Stopped {
        let why = if refused { "EC2 refused it" } else { "EC2 listed no instance of it, asked twice" };
        return vec![WorkerEvent::StatusChanged {
            from: worker.status,
            to: WorkerStatus::Failed,
            detail: Some(format!("The launch was given up: {why}.")),
            reason: None,
            running_since: None,
        }];
    }
    let unwished = worker.desired != DesiredState::Terminated;
    let reason =
        unwished.then(|| "The instance is gone from EC2, though nobody here asked for it. It was not replaced.".into());
    let detail = if refused { "EC2 refused its launch." } else { "EC2 no longer lists the instance, asked twice." };
    let mut events = gone(worker, detail, reason);
    // What went before it vanished is the better explanation.
    if unwished && worker.departure.is_none() {
        events.push(status_drift(worker, DriftKind::InstanceGone, WorkerStatus::Terminated));
    }
    events
}

fn gone(worker: &Worker, detail: &str, reason: Option<String>) -> Vec<WorkerEvent> {
    let mut events = vec![WorkerEvent::StatusChanged {
        from: worker.status,
        to: WorkerStatus::Terminated,
        detail: Some(detail.into()),
        reason,
        running_since: None,
    }];
    events.extend(service_event(worker, WorkerStatus::Terminated, worker.service));
    events
}

fn status_of(worker: &Worker, seen: &InstanceObservation) -> WorkerStatus {
    match seen.state {
        InstanceState::Pending => match worker.status {
            WorkerStatus::Pending | WorkerStatus::Provisioning => WorkerStatus::Provisioning,
            _ => WorkerStatus::Starting,
        },
        InstanceState::Running => WorkerStatus::Running,
        InstanceState::Stopping => WorkerStatus::Stopping,
        InstanceState::Stopped => WorkerStatus::Stopped,
        InstanceState::ShuttingDown => WorkerStatus::Terminating,
        InstanceState::Terminated if worker.desired != DesiredState::Terminated && failed_by_itself(seen) => {
            WorkerStatus::Failed
        }
        InstanceState::Terminated => WorkerStatus::Terminated,
        InstanceState::Unknown => WorkerStatus::Unknown,
    }
}

/// EC2 took the instance away: the reason code begins with `Server.`.
/// Source: EC2 API reference, `StateReason`.
#[must_use]
pub fn lost_to_host(seen: &InstanceObservation) -> bool {
    seen.state_reason_code.as_deref().is_some_and(|code| code.starts_with("Server."))
}

/// It ended for another reason than somebody's wish: its host, its volumes, its image.
/// Source: EC2 API reference, `StateReason` (the two codes of a person's shutdown).
fn failed_by_itself(seen: &InstanceObservation) -> bool {
    seen.state_reason_code.as_deref().is_some_and(|code| {
        !matches!(code, "Client.UserInitiatedShutdown" | "Client.InstanceInitiatedShutdown")
            && (code.starts_with("Server.") || code.starts_with("Client."))
    })
}

/// How the reasons begin for which it is stopped though it is wanted running.
const STOPPED_OUTSIDE: &str = "The instance was stopped outside CML Cloud Manager";
const TAKEN_DOWN: &str = "The instance was taken down by its host";

/// What came of nobody's wish, and why, in words; null when the wish explains the new status. Where what came of
/// nobody's wish is over, there are words and no drift.
fn unwished(
    worker: &Worker,
    to: WorkerStatus,
    seen: &InstanceObservation,
    now: Timestamp,
) -> Option<(Option<DriftKind>, String)> {
    let from = worker.status;
    if worker.wish.unfulfilled && (Worker { status: to, ..worker.clone() }).is_as_wished() {
        return Some((None, format!("It is {} by now, as it is wanted.", to.name())));
    }
    let kind = match (worker.desired, to) {
        // It goes on with what was seen before.
        (_, WorkerStatus::Stopped) if from == WorkerStatus::Stopping => return None,
        (_, WorkerStatus::Terminated) if from == WorkerStatus::Terminating => return None,
        (DesiredState::Running, WorkerStatus::Stopping | WorkerStatus::Stopped) => {
            // A call of ours never gives EC2's own reason.
            if lost_to_host(seen) {
                DriftKind::HostFailure
            } else if worker.wish.may_be_overtaken(DesiredState::Stopped, now) {
                return None;
            } else {
                DriftKind::StoppedByHand
            }
        }
        (DesiredState::Running | DesiredState::Stopped, WorkerStatus::Terminating | WorkerStatus::Terminated) => {
            if lost_to_host(seen) {
                DriftKind::HostFailure
            } else {
                DriftKind::TerminatedByHand
            }
        }
        (DesiredState::Running | DesiredState::Stopped, WorkerStatus::Failed) => {
            if lost_to_host(seen) {
                DriftKind::HostFailure
            } else {
                DriftKind::LaunchFault
            }
        }
        // It may run for a while after the wish, or even come up first, when it was still booting;
        // only what was stopped, or about to be, was started by somebody else.
        (DesiredState::Stopped, WorkerStatus::Starting | WorkerStatus::Running)
            if matches!(from, WorkerStatus::Stopping | WorkerStatus::Stopped) =>
        {
            if worker.wish.may_be_overtaken(DesiredState::Running, now) {
                return None;
            }
            DriftKind::StartedByHand
        }
        // Whoever started it, an operation of ours or a person: that is what is wanted. Only what is shown of the
        // departure holds no more, unless something was said of it since.
        (DesiredState::Running, WorkerStatus::Starting | WorkerStatus::Running)
            if worker.departure.is_some() && tells_of_a_stop(&worker.state_reason) =>
        {
            return Some((None, "The instance was started again.".into()));
        }
        _ => return None,
    };
    let why = ec2_says(seen);
    let reason = match kind {
        DriftKind::HostFailure if to == WorkerStatus::Failed => {
            format!("The instance was lost to its host, not by anyone's wish.{why}")
        }
        DriftKind::HostFailure => format!("{TAKEN_DOWN}, not by anyone's wish.{why}"),
        DriftKind::LaunchFault => format!("The instance failed, not by anyone's wish.{why}"),
        DriftKind::StoppedByHand => format!("{STOPPED_OUTSIDE}.{why}"),
        DriftKind::StartedByHand => format!("The instance was started outside CML Cloud Manager.{why}"),
        _ => format!("The instance was terminated outside CML Cloud Manager.{why}"),
    };
    Some((Some(kind), reason))
}

fn tells_of_a_stop(reason: &str) -> bool {
    [STOPPED_OUTSIDE, TAKEN_DOWN].iter().any(|begin| reason.starts_with(begin))
}

fn ec2_says(seen: &InstanceObservation) -> String {
    let words = seen.state_reason_message.as_deref().or(seen.state_reason_code.as_deref());
    words.map(|words| format!(" EC2 says: {words}")).unwrap_or_default()
}

fn status_drift(worker: &Worker, kind: DriftKind, to: WorkerStatus) -> WorkerEvent {
    WorkerEvent::Drifted { kind, was: worker.status.name().into(), is: to.name().into() }
}

/// What somebody changed of the instance: another type than was given to it here, or another address while it ran
/// on. An address that comes with a start is none.
fn facts_drift(worker: &Worker, known: &InstanceFacts, seen: &InstanceObservation) -> Vec<WorkerEvent> {
    let mut events = Vec::new();
    if seen.instance_type != known.instance_type && seen.instance_type != worker.given_type() {
        events.push(WorkerEvent::Drifted {
            kind: DriftKind::InstanceType,
            was: known.instance_type.clone(),
            is: seen.instance_type.clone(),
        });
    }
    let runs_on = worker.status == WorkerStatus::Running
        && seen.state == InstanceState::Running
        && seen.launched_at <= worker.running_since;
    if let (true, Some(was), Some(is)) = (runs_on, &known.public_ip, &seen.public_ip)
        && was != is
    {
        events.push(WorkerEvent::Drifted { kind: DriftKind::Address, was: was.clone(), is: is.clone() });
    }
    events
}

/// The event when CML's service status changed, given the worker's status: CML cannot be up on an
/// instance that is not.
#[must_use]
pub fn service_event(worker: &Worker, status: WorkerStatus, service: ServiceStatus) -> Option<WorkerEvent> {
    let to = if status == WorkerStatus::Running { service } else { ServiceStatus::Unavailable };
    (to != worker.service).then_some(WorkerEvent::ServiceChanged { from: worker.service, to })
}

#[cfg(test)]
mod tests;
