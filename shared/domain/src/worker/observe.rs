//! What an observation means. Observations report facts; they never change a wish.

use super::{DesiredState, InstanceFacts, Worker, WorkerEvent, WorkerStatus};
use crate::instance::{InstanceObservation, InstanceState};
use crate::metrics::ServiceStatus;
use jiff::{SignedDuration, Timestamp};

/// The second empty answer counts only this long after the first: `DescribeInstances` lags behind
/// a launch by seconds, and in a bad hour by minutes. Source: EC2 API reference, "Eventual consistency".
pub const MISSING_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

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
        None => events.push(WorkerEvent::InstanceAttached(facts)),
        Some(known) if known.id != facts.id => return vec![],
        Some(known) => {
            if worker.missing_since.is_some() {
                events.push(WorkerEvent::InstanceSeenAgain);
            }
            if *known != facts {
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
        let reason = (to != worker.status).then(|| unwished_reason(worker, to, seen)).flatten();
        events.push(WorkerEvent::StatusChanged { from: worker.status, to, detail, reason, running_since });
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
    let Some(since) = worker.missing_since else { return vec![WorkerEvent::InstanceMissing] };
    if now.duration_since(since) < MISSING_AGAIN_AFTER {
        return vec![];
    }
    if worker.instance.is_none() && worker.desired == DesiredState::Stopped {
        return vec![WorkerEvent::StatusChanged {
            from: worker.status,
            to: WorkerStatus::Failed,
            detail: Some("The launch was given up: EC2 listed no instance of it, asked twice.".into()),
            reason: None,
            running_since: None,
        }];
    }
    let reason = (worker.desired != DesiredState::Terminated)
        .then(|| "The instance is gone from EC2, though nobody here asked for it. It was not replaced.".into());
    gone(worker, "EC2 no longer lists the instance, asked twice.", reason)
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

/// How the reason begins that somebody stopped it at EC2.
const STOPPED_OUTSIDE: &str = "The instance was stopped outside CML Cloud Manager";

/// Why the new status is not what was wished, in words; null when the wish explains it.
fn unwished_reason(worker: &Worker, to: WorkerStatus, seen: &InstanceObservation) -> Option<String> {
    let verb = match (worker.desired, to) {
        (DesiredState::Running, WorkerStatus::Stopping | WorkerStatus::Stopped) => "stopped",
        (DesiredState::Running | DesiredState::Stopped, WorkerStatus::Terminating | WorkerStatus::Terminated) => {
            "terminated"
        }
        (DesiredState::Running | DesiredState::Stopped, WorkerStatus::Failed) => "lost",
        (DesiredState::Stopped, WorkerStatus::Starting) => "started",
        // Stopped by somebody else, and started again the same way.
        (DesiredState::Running, WorkerStatus::Starting | WorkerStatus::Running)
            if worker.state_reason.starts_with(STOPPED_OUTSIDE) =>
        {
            "started"
        }
        // It may run for a while after the wish, or even come up first, when it was still booting;
        // only what was stopped was started by somebody else.
        (DesiredState::Stopped, WorkerStatus::Running) if worker.status == WorkerStatus::Stopped => "started",
        _ => return None,
    };
    let words = seen.state_reason_message.as_deref().or(seen.state_reason_code.as_deref());
    let why = words.map(|w| format!(" EC2 says: {w}")).unwrap_or_default();
    Some(match verb {
        "lost" if lost_to_host(seen) => format!("The instance was lost to its host, not by anyone's wish.{why}"),
        "lost" => format!("The instance failed, not by anyone's wish.{why}"),
        "stopped" => format!("{STOPPED_OUTSIDE}.{why}"),
        verb => format!("The instance was {verb} outside CML Cloud Manager.{why}"),
    })
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
