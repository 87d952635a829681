//! Which evidence is worth keeping of an operation that has ended.

use super::{Operation, OperationStatus, SAFE_MODE, SUPERSEDED, Task};
use crate::id::LabId;
use crate::lab::LabAction;

/// What is worth keeping of an operation that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The console of the worker's instance.
    ConsoleOutput,
    /// What the controller tells, of this lab if it is about one.
    Lab {
        /// The lab.
        lab: Option<&'a LabId>,
        /// Its nodes were to boot: the consoles of those that did not.
        booting: bool,
    },
}

/// Codes of operations that did not fail: somebody or something stood in their way.
const NO_FAILURE: [&str; 6] = [SUPERSEDED, SAFE_MODE, "worker_ending", "not_running", "controller_closed", "no_target"];

/// What is worth keeping of an operation; nothing unless it has failed for good, and not because something
/// was in its way.
#[must_use]
pub fn wanted(operation: &Operation) -> Option<Wanted<'_>> {
    let failed = matches!(operation.status, OperationStatus::Failed | OperationStatus::Expired);
    let code = operation.error.as_ref().map(|error| error.code.as_str()).filter(|_| failed)?;
    if NO_FAILURE.contains(&code) {
        return None;
    }
    // What is awaited in vain needs an explanation; a refusal is one, but for a start, which may be short of anything.
    let told = operation.status == OperationStatus::Failed && code != "not_reached";
    match &operation.task {
        task if task.fulfils_wish() => Some(Wanted::ConsoleOutput),
        Task::ActOnLab(task) => {
            let booting = task.action == LabAction::Start;
            (booting || !told).then_some(Wanted::Lab { lab: Some(&task.lab), booting })
        }
        Task::ImportLab(task) if !told => Some(Wanted::Lab { lab: task.lab.as_ref(), booting: false }),
        Task::BackUpLab(task) if !told => Some(Wanted::Lab { lab: Some(&task.lab), booting: false }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::id::{OperationId, WorkerId};
    use crate::operation::cml::LabTask;
    use jiff::Timestamp;

    fn ended(task: Task, code: &str) -> Operation {
        let now = Timestamp::UNIX_EPOCH;
        let mut operation =
            Operation::new(OperationId::new(now, 1), task, Some(WorkerId::new(now, 1)), Actor::Aws, now);
        operation.fail(code, "no", now);
        operation
    }

    #[test]
    fn evidence_is_wanted_of_what_failed_for_good_and_of_nothing_else() {
        let lab: LabId = "lab".parse().unwrap();
        let on_lab = |action| Task::ActOnLab(LabTask::new(lab.clone(), action));
        assert_eq!(wanted(&ended(Task::StartWorker, "InternalError")), Some(Wanted::ConsoleOutput));
        let started = ended(on_lab(LabAction::Start), "cml_refused");
        assert_eq!(wanted(&started), Some(Wanted::Lab { lab: Some(&lab), booting: true }));
        assert_eq!(wanted(&ended(on_lab(LabAction::Wipe), "cml_refused")), None, "CML said why");
        let wiped = ended(on_lab(LabAction::Wipe), "not_reached");
        assert_eq!(wanted(&wiped), Some(Wanted::Lab { lab: Some(&lab), booting: false }));
        for code in NO_FAILURE {
            assert_eq!(wanted(&ended(Task::StartWorker, code)), None, "{code}");
        }
        assert_eq!(wanted(&ended(Task::RefreshWorker, "not_read")), None);
        let mut expired = ended(Task::StopWorker, "x");
        (expired.status, expired.error) = (OperationStatus::Running, None);
        assert_eq!(wanted(&expired), None, "it goes on");
        assert!(expired.expire_if_due(expired.expires_at));
        assert_eq!(wanted(&expired), Some(Wanted::ConsoleOutput));
    }
}
