//! What may be asked of a worker, and when not.

use std::collections::BTreeMap;

use super::Offer;
use super::{DesiredState, IdlePolicy, Worker, WorkerEvent, WorkerStatus};
use crate::decision::Action;
use crate::drift::DriftKind;

/// Something asked of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let it run, be stopped, or be gone.
    Want {
        /// The wish.
        desired: DesiredState,
        /// Why, for people.
        reason: String,
    },
    /// Change only the fields that are present.
    Update(Update),
    /// Have it judged, which changes nothing by itself.
    Judge,
    /// Turn detailed monitoring on or off.
    SetMonitoring {
        /// The wish.
        enabled: bool,
    },
    /// Record the controller's certificate anew at the next contact.
    Repin,
    /// Intend a launch: the next number after a definite failure, the same one while it is open.
    IntendLaunch {
        /// The image, resolved.
        ami_id: String,
        /// The type and where.
        offer: Offer,
        /// Why it is not the first choice, if it is not.
        fallback: Option<String>,
    },
    /// EC2 had no capacity for the launch of that number, and nothing came of it: EC2's code and message.
    LaunchRefused {
        /// Its number.
        number: u32,
        /// EC2's code and message.
        detail: String,
    },
    /// Nobody knows whether that launch came to anything, and EC2 lists nothing of it.
    LaunchUnseen,
    /// Give the stopped instance this type, before it is started.
    FallBack {
        /// The type.
        offer: Offer,
        /// Why.
        reason: String,
    },
    /// Give a launch up: EC2's code and words.
    LaunchFailed {
        /// EC2's code and message.
        detail: String,
    },
    /// Say that an operation ended without what was wished for, and why.
    WishFailed {
        /// For people.
        reason: String,
    },
    /// Do something for the wish that stands, and say why.
    Reconcile {
        /// What.
        action: Action,
        /// Why, for people.
        reason: String,
    },
    /// Note that EC2 shows something else than is kept here.
    NoteDrift {
        /// What.
        kind: DriftKind,
        /// What it should be.
        was: String,
        /// What it is.
        is: String,
    },
    /// Use these stored credentials.
    UseCredentials {
        /// The reference; never the secret.
        cml_credentials_ref: Option<String>,
    },
}

/// A partial update: an absent field stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The new name.
    pub name: Option<String>,
    /// The new owner; the inner null clears it.
    pub owner: Option<Option<String>>,
    /// Tags to add or change.
    pub set_tags: BTreeMap<String, String>,
    /// Keys of tags to remove.
    pub remove_tags: Vec<String>,
    /// The idle switch.
    pub idle_enabled: Option<bool>,
    /// The idle timeout; the inner null gives it back to the fleet.
    pub idle_timeout_minutes: Option<Option<u32>>,
    /// Where CML answers; the inner null gives it back to EC2.
    pub cml_endpoint: Option<Option<String>>,
    /// Which stored credentials to use; the inner null gives it back to the fleet.
    pub cml_credentials_ref: Option<Option<String>>,
}

/// Why a command was refused; the state stands in its way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing can be done with it any more.
    #[error("the worker is {}; it cannot be {verb}", status.name())]
    Gone {
        /// Its status.
        status: WorkerStatus,
        /// What was asked, as a participle.
        verb: &'static str,
    },
    /// It is wanted otherwise by now.
    #[error("the worker is wanted {} by now", desired.name())]
    Unwanted {
        /// What is wanted.
        desired: DesiredState,
    },
    /// It has no instance yet.
    #[error("the worker has no instance yet; it cannot be {verb}")]
    NotLaunched {
        /// What was asked, as a participle.
        verb: &'static str,
    },
}

/// Judges a command: the events it gives, none when it is already so.
///
/// # Errors
/// The worker's state stands in its way.
pub fn command(worker: &Worker, command: &Command) -> Result<Vec<WorkerEvent>, Refusal> {
    match command {
        Command::Want { desired, reason } => want(worker, *desired, reason),
        Command::Update(update) => {
            refuse_gone(worker, "changed")?;
            Ok(update_events(worker, update))
        }
        Command::Judge => {
            // What is gone against the wish is judged still.
            if worker.is_over() {
                refuse_gone(worker, "judged")?;
            }
            Ok(vec![])
        }
        Command::SetMonitoring { enabled } => {
            refuse_gone(worker, "changed")?;
            if worker.instance.is_none() {
                return Err(Refusal::NotLaunched { verb: "monitored" });
            }
            Ok(changed(
                worker.spec.detailed_monitoring != *enabled,
                WorkerEvent::MonitoringWished { enabled: *enabled },
            ))
        }
        Command::Repin => {
            refuse_gone(worker, "changed")?;
            Ok(changed(worker.certificate_sha256.is_some(), WorkerEvent::CertificateForgotten))
        }
        Command::IntendLaunch { ami_id, offer, fallback } => intend_launch(worker, ami_id, offer, fallback.as_deref()),
        Command::LaunchRefused { number, detail } => Ok(changed(
            worker.has_open_launch() && worker.launch_number == *number,
            WorkerEvent::LaunchRefused { number: *number, detail: detail.clone() },
        )),
        Command::LaunchUnseen => {
            Ok(changed(worker.has_open_launch() && worker.missing_since.is_none(), WorkerEvent::InstanceMissing))
        }
        Command::FallBack { offer, reason } => fall_back(worker, offer, reason),
        // Too late: another delivery of the same launch has its instance, or the worker is gone.
        Command::LaunchFailed { .. } if worker.status.is_final() || worker.has_instance() => Ok(vec![]),
        Command::LaunchFailed { detail } => {
            Ok(status_event(worker, WorkerStatus::Failed, Some(detail.clone())).into_iter().collect())
        }
        Command::WishFailed { reason } => Ok(changed(
            !worker.is_over() && worker.state_reason != *reason,
            WorkerEvent::WishUnfulfilled { reason: reason.clone() },
        )),
        Command::Reconcile { action, reason } => {
            if worker.is_over() {
                refuse_gone(worker, "changed")?;
            }
            Ok(vec![WorkerEvent::Reconciled { action: *action, reason: reason.clone() }])
        }
        Command::NoteDrift { kind, was, is } => Ok(changed(
            !worker.status.is_final(),
            WorkerEvent::Drifted { kind: *kind, was: was.clone(), is: is.clone() },
        )),
        Command::UseCredentials { cml_credentials_ref } => {
            refuse_gone(worker, "changed")?;
            Ok(vec![WorkerEvent::CredentialsSet { cml_credentials_ref: cml_credentials_ref.clone() }])
        }
    }
}

fn want(worker: &Worker, desired: DesiredState, reason: &str) -> Result<Vec<WorkerEvent>, Refusal> {
    let verb = match desired {
        DesiredState::Running => "started",
        DesiredState::Stopped => "stopped",
        DesiredState::Terminated => "terminated",
    };
    let going = worker.desired == DesiredState::Terminated || worker.status == WorkerStatus::Terminating;
    // What is gone against the wish may be wanted back, or let go for good.
    let lost = worker.status.is_final() && worker.desired != DesiredState::Terminated;
    let answered = lost && desired != DesiredState::Stopped;
    if !answered && (worker.status.is_final() || (going && desired != DesiredState::Terminated)) {
        return Err(Refusal::Gone {
            status: if worker.status.is_final() { worker.status } else { WorkerStatus::Terminating },
            verb,
        });
    }
    // The same wish again, where something else came between, is why the worker moves now: it is
    // recorded, so that the reason shown is not the one for how it came to be otherwise, and so that what
    // was given up or asked about begins anew.
    let thwarted = matches!(
        (desired, worker.status),
        (
            DesiredState::Running,
            WorkerStatus::Pending
                | WorkerStatus::Stopping
                | WorkerStatus::Stopped
                | WorkerStatus::Failed
                | WorkerStatus::Terminated
        ) | (DesiredState::Stopped, WorkerStatus::Starting | WorkerStatus::Running)
    );
    Ok(changed(
        worker.desired != desired || (thwarted && (worker.state_reason != reason || worker.departure.is_some())),
        WorkerEvent::DesiredChanged { from: worker.desired, to: desired, reason: reason.to_owned() },
    ))
}

fn intend_launch(
    worker: &Worker,
    ami_id: &str,
    offer: &Offer,
    fallback: Option<&str>,
) -> Result<Vec<WorkerEvent>, Refusal> {
    if !worker.is_wanted_back() {
        refuse_gone(worker, "launched")?;
    }
    // Somebody wanted otherwise between the look and the launch.
    if worker.desired != DesiredState::Running {
        return Err(Refusal::Unwanted { desired: worker.desired });
    }
    // An open launch keeps its number, and so its ClientToken: asking EC2 again is safe. So does
    // one that another delivery completed in the meantime: a new number would launch a second machine.
    if worker.has_open_launch() || worker.has_instance() {
        return Ok(vec![]);
    }
    let number = worker.launch_number + 1;
    let mut events = vec![WorkerEvent::LaunchIntended { number, ami_id: ami_id.to_owned(), offer: offer.clone() }];
    events.extend(fallback.map(|reason| chosen(offer, reason)));
    events.extend(status_event(worker, WorkerStatus::Pending, None));
    Ok(events)
}

fn fall_back(worker: &Worker, offer: &Offer, reason: &str) -> Result<Vec<WorkerEvent>, Refusal> {
    refuse_gone(worker, "started")?;
    if worker.desired != DesiredState::Running {
        return Err(Refusal::Unwanted { desired: worker.desired });
    }
    let already = worker.launch_offer.as_ref() == Some(offer) && worker.state_reason == reason;
    Ok(changed(!already, chosen(offer, reason)))
}

fn update_events(worker: &Worker, update: &Update) -> Vec<WorkerEvent> {
    let mut events = Vec::new();
    if let Some(name) = update.name.as_ref().filter(|name| **name != worker.name) {
        events.push(WorkerEvent::Renamed { name: name.clone() });
    }
    if let Some(owner) = update.owner.as_ref().filter(|owner| **owner != worker.owner) {
        events.push(WorkerEvent::OwnerChanged { owner: owner.clone() });
    }
    let mut tags = worker.tags.clone();
    tags.extend(update.set_tags.clone());
    tags.retain(|key, _| !update.remove_tags.contains(key));
    events.extend(changed(tags != worker.tags, WorkerEvent::TagsChanged { tags }));
    let policy = IdlePolicy {
        enabled: update.idle_enabled.unwrap_or(worker.idle_policy.enabled),
        timeout_minutes: update.idle_timeout_minutes.unwrap_or(worker.idle_policy.timeout_minutes),
    };
    events.extend(changed(policy != worker.idle_policy, WorkerEvent::IdlePolicyChanged(policy)));
    if let Some(endpoint) = update.cml_endpoint.as_ref().filter(|e| **e != worker.cml_endpoint) {
        events.push(WorkerEvent::EndpointSet { cml_endpoint: endpoint.clone() });
    }
    if let Some(reference) = update.cml_credentials_ref.as_ref().filter(|r| **r != worker.cml_credentials_ref) {
        events.push(WorkerEvent::CredentialsSet { cml_credentials_ref: reference.clone() });
    }
    events
}

fn refuse_gone(worker: &Worker, verb: &'static str) -> Result<(), Refusal> {
    if worker.status.is_final() { Err(Refusal::Gone { status: worker.status, verb }) } else { Ok(()) }
}

fn chosen(offer: &Offer, reason: &str) -> WorkerEvent {
    WorkerEvent::FallbackChosen { offer: offer.clone(), reason: reason.to_owned() }
}

fn changed(different: bool, event: WorkerEvent) -> Vec<WorkerEvent> {
    if different { vec![event] } else { vec![] }
}

fn status_event(worker: &Worker, to: WorkerStatus, detail: Option<String>) -> Option<WorkerEvent> {
    (worker.status != to || worker.status_detail != detail).then(|| WorkerEvent::StatusChanged {
        from: worker.status,
        to,
        reason: detail.as_ref().map(|d| format!("Could not be launched: {d}")),
        detail,
        running_since: None,
    })
}

#[cfg(test)]
mod tests;
