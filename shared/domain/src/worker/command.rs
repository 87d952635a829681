//! What may be asked of a worker, and when not.

use std::collections::BTreeMap;

use super::{DesiredState, IdlePolicy, Worker, WorkerEvent, WorkerStatus};

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
        Command::IntendLaunch { ami_id } => {
            refuse_gone(worker, "launched")?;
            // Somebody wanted otherwise between the look and the launch.
            if worker.desired != DesiredState::Running {
                return Err(Refusal::Unwanted { desired: worker.desired });
            }
            // An open launch keeps its number, and so its ClientToken: asking EC2 again is safe. So does
            // one that another delivery completed in the meantime: a new number would launch a second machine.
            if worker.has_open_launch() || has_instance(worker) {
                return Ok(vec![]);
            }
            let number = worker.launch_number + 1;
            let mut events = vec![WorkerEvent::LaunchIntended { number, ami_id: ami_id.clone() }];
            events.extend(status_event(worker, WorkerStatus::Pending, None));
            Ok(events)
        }
        // Too late: another delivery of the same launch has its instance, or the worker is gone.
        Command::LaunchFailed { .. } if worker.status.is_final() || has_instance(worker) => Ok(vec![]),
        Command::LaunchFailed { detail } => {
            Ok(status_event(worker, WorkerStatus::Failed, Some(detail.clone())).into_iter().collect())
        }
        Command::WishFailed { reason } => Ok(changed(
            !worker.status.is_final() && worker.state_reason != *reason,
            WorkerEvent::WishUnfulfilled { reason: reason.clone() },
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
    if worker.status.is_final() || (going && desired != DesiredState::Terminated) {
        return Err(Refusal::Gone {
            status: if worker.status.is_final() { worker.status } else { WorkerStatus::Terminating },
            verb,
        });
    }
    if desired == DesiredState::Stopped && worker.instance.is_none() && worker.launch_number == 0 {
        return Err(Refusal::NotLaunched { verb });
    }
    // The same wish again, where something else came between, is why the worker moves now: it is
    // recorded, so that the reason shown is not the one for how it came to be otherwise.
    let thwarted = matches!(
        (desired, worker.status),
        (DesiredState::Running, WorkerStatus::Stopping | WorkerStatus::Stopped | WorkerStatus::Failed)
            | (DesiredState::Stopped, WorkerStatus::Starting | WorkerStatus::Running)
    );
    Ok(changed(
        worker.desired != desired || (thwarted && worker.state_reason != reason),
        WorkerEvent::DesiredChanged { from: worker.desired, to: desired, reason: reason.to_owned() },
    ))
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

/// An instance stands behind it; that of a failed worker is lost.
fn has_instance(worker: &Worker) -> bool {
    worker.instance.is_some() && worker.status != WorkerStatus::Failed
}

fn refuse_gone(worker: &Worker, verb: &'static str) -> Result<(), Refusal> {
    if worker.status.is_final() { Err(Refusal::Gone { status: worker.status, verb }) } else { Ok(()) }
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
