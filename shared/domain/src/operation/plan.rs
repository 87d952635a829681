//! The next step of an operation, from what EC2 shows. One total function a task; the words are
//! what users read while they wait.

use super::{Operation, SUPERSEDED, Task};
use crate::actor::Actor;
use crate::drift::DriftKind;
use crate::instance::{InstanceObservation, InstanceState};
use crate::worker::observe::{Seen, lost_to_host};
use crate::worker::{DesiredState, Worker, WorkerStatus};

/// One call that changes EC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `RunInstances`, with the worker's `ClientToken`.
    Launch,
    /// `StartInstances`.
    Start,
    /// `StopInstances`.
    Stop,
    /// `TerminateInstances`.
    Terminate,
    /// `MonitorInstances` or `UnmonitorInstances`.
    SetMonitoring {
        /// The wish.
        enabled: bool,
    },
    /// `CreateTags` and `DeleteTags`.
    UpdateTags,
}

impl Call {
    /// It ends what runs or destroys what is: the brakes stop it.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Stop | Self::Terminate)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call EC2, then look again.
    Act(Call),
    /// Nothing to do but wait for this.
    Wait(String),
    /// Done, and seen done; more to say, if anything.
    Done(Option<String>),
    /// It cannot be done: code and message.
    Fail(&'static str, String),
}

/// The next step of an operation. One that the reconciler began to start a worker gives way to a person who stopped
/// that by hand since: it counts as it would have counted before. Who asked for a start themselves may not know of that
/// stop, and is served.
#[must_use]
pub fn next_of(operation: &Operation, worker: &Worker, seen: Seen<'_>) -> Step {
    let by_hand = worker.departure.filter(|departure| departure.kind == DriftKind::StoppedByHand);
    let since = by_hand.is_some_and(|departure| departure.at > operation.requested_at);
    if since && operation.task == Task::StartWorker && operation.requested_by == Actor::reconciler() {
        let why = "It was stopped outside CML Cloud Manager meanwhile, and is left so for a while.";
        return Step::Fail(SUPERSEDED, why.into());
    }
    next(&operation.task, worker, seen)
}

/// The next step of `task` for `worker`, given what EC2 shows of its instance.
/// Imports and refreshes have no EC2 step of this kind and are done at once.
#[must_use]
pub fn next(task: &Task, worker: &Worker, seen: Seen<'_>) -> Step {
    match task {
        // Recorded to be stopped; where that was wished later, the creation is superseded.
        Task::CreateWorker
            if worker.desired == DesiredState::Stopped && worker.never_had_instance() && worker.wish.number <= 1 =>
        {
            Step::Done(Some("Recorded; it will be launched at its first start.".into()))
        }
        Task::CreateWorker | Task::StartWorker => run(task, worker, seen),
        Task::StopWorker => stop(worker, seen),
        Task::TerminateWorker => terminate(worker, seen),
        // A newer wish the other way: an older operation, held up by throttling, must not undo it.
        Task::SetMonitoring { enabled } if worker.spec.detailed_monitoring != *enabled => {
            let wanted = if *enabled { "off" } else { "on" };
            Step::Fail(SUPERSEDED, format!("Detailed monitoring is wanted {wanted} by now."))
        }
        Task::SetMonitoring { enabled } => with_instance(worker, seen, |instance| {
            if instance.detailed_monitoring == *enabled {
                Step::Done(None)
            } else {
                Step::Act(Call::SetMonitoring { enabled: *enabled })
            }
        }),
        Task::UpdateTags { remove } => with_instance(worker, seen, |instance| {
            let set = worker.ec2_tags().iter().all(|(key, value)| instance.tags.get(key) == Some(value));
            let removed = remove.iter().all(|key| worker.tags.contains_key(key) || !instance.tags.contains_key(key));
            if set && removed { Step::Done(None) } else { Step::Act(Call::UpdateTags) }
        }),
        Task::RefreshWorker
        | Task::ImportWorkers(_)
        | Task::RefreshLabs
        | Task::ActOnLab(_)
        | Task::ImportLab(_)
        | Task::BackUpLab(_)
        | Task::RegisterLicense(_)
        | Task::RenewLicense(_)
        | Task::DeregisterLicense
        | Task::PostNotice(_)
        | Task::RetireWorker(_)
        | Task::ReconcileWorker
        | Task::ReconcileFleet(_) => Step::Done(None),
    }
}

fn run(task: &Task, worker: &Worker, seen: Seen<'_>) -> Step {
    if worker.desired != DesiredState::Running {
        return superseded(worker);
    }
    let Seen::Present(instance) = seen else {
        if worker.status.is_final() && !worker.is_wanted_back() {
            return forgotten(worker);
        }
        // A failed worker whose instance EC2 has forgotten is launched anew, like one that never had any.
        return if worker.instance.is_none() || worker.status == WorkerStatus::Failed || worker.is_wanted_back() {
            Step::Act(Call::Launch)
        } else {
            Step::Wait("EC2 to list the instance again".into())
        };
    };
    match instance.state {
        InstanceState::Running => Step::Done(None),
        InstanceState::Pending => Step::Wait("the instance to run".into()),
        InstanceState::Stopping => Step::Wait("the instance to finish stopping before it can start".into()),
        InstanceState::Stopped => Step::Act(Call::Start),
        InstanceState::Terminated
            if *task == Task::StartWorker && (worker.status == WorkerStatus::Failed || worker.is_wanted_back()) =>
        {
            Step::Act(Call::Launch)
        }
        InstanceState::ShuttingDown | InstanceState::Terminated => gone(instance),
        InstanceState::Unknown => Step::Wait("EC2 to report a state this version knows".into()),
    }
}

fn stop(worker: &Worker, seen: Seen<'_>) -> Step {
    if worker.desired == DesiredState::Running {
        return superseded(worker);
    }
    let Seen::Present(instance) = seen else {
        return match worker.status {
            _ if worker.never_had_instance() => Step::Done(Some("It was never launched.".into())),
            WorkerStatus::Terminated => forgotten(worker),
            WorkerStatus::Failed => Step::Done(Some("It has no instance that could run.".into())),
            _ => Step::Wait("EC2 to list the instance again".into()),
        };
    };
    match instance.state {
        InstanceState::Stopped => Step::Done(None),
        InstanceState::Running => Step::Act(Call::Stop),
        InstanceState::Stopping => Step::Wait("the instance to be stopped".into()),
        InstanceState::Pending => Step::Wait("the instance to run before it can be stopped".into()),
        InstanceState::Terminated if worker.status == WorkerStatus::Failed => {
            Step::Done(Some("It has no instance that could run.".into()))
        }
        InstanceState::ShuttingDown | InstanceState::Terminated => gone(instance),
        InstanceState::Unknown => Step::Wait("EC2 to report a state this version knows".into()),
    }
}

fn terminate(worker: &Worker, seen: Seen<'_>) -> Step {
    if worker.desired != DesiredState::Terminated {
        return superseded(worker);
    }
    match seen {
        // An imported worker was never launched by us, and has an instance all the same.
        Seen::Absent if worker.never_had_instance() => Step::Done(Some("It never had an instance.".into())),
        _ if worker.status == WorkerStatus::Terminated => Step::Done(None),
        Seen::Absent => Step::Wait("a second answer from EC2 that the instance is gone".into()),
        Seen::Present(instance) => match instance.state {
            InstanceState::Terminated => Step::Done(None),
            InstanceState::ShuttingDown => Step::Wait("the instance to be terminated".into()),
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::Unknown => Step::Act(Call::Terminate),
        },
    }
}

fn with_instance(worker: &Worker, seen: Seen<'_>, step: impl FnOnce(&InstanceObservation) -> Step) -> Step {
    match seen {
        Seen::Present(instance)
            if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) =>
        {
            gone(instance)
        }
        Seen::Present(instance) => step(instance),
        Seen::Absent if worker.status.is_final() => forgotten(worker),
        Seen::Absent => Step::Wait("EC2 to list the instance".into()),
    }
}

fn gone(instance: &InstanceObservation) -> Step {
    let words = instance.state_reason_message.clone().unwrap_or_else(|| "EC2 gives no reason.".into());
    let lost = if lost_to_host(instance) { "was lost to its host" } else { "is terminated" };
    Step::Fail("instance_terminated", format!("Instance {} {lost}: {words}", instance.id))
}

/// Gone, and no longer listed: waiting would bring nothing.
fn forgotten(worker: &Worker) -> Step {
    let words = worker.status_detail.as_deref().unwrap_or("EC2 gives no reason.");
    Step::Fail("instance_terminated", format!("The instance is gone: {words}"))
}

fn superseded(worker: &Worker) -> Step {
    Step::Fail(SUPERSEDED, format!("The worker is wanted {} by now. {}", worker.desired.name(), worker.state_reason))
}

#[cfg(test)]
mod tests;
