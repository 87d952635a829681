//! What people do on a worker through us. CML sees all of that done by one user of ours, whose calls count for
//! nobody; so it is told by the operations.

use jiff::{SignedDuration, Timestamp};

use super::{Operation, Task};
use crate::actor::Actor;

/// The longest that what people have done at labs may take: what was asked for longer before a sign of use had ended
/// by then.
pub const LAB_WORK_TAKES: SignedDuration = SignedDuration::from_mins(60);

/// What a worker's operations tell of its use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// When a person last had something done at a lab of it, or asked for it to run; and what that was.
    pub latest: Option<(Timestamp, &'static str)>,
    /// What is being done at its controller right now.
    pub under_way: Option<&'static str>,
}

impl Work {
    /// What these operations tell, in any order.
    #[must_use]
    pub fn shown_by(operations: &[Operation]) -> Self {
        let at_labs = |task: &Task| matches!(task, Task::ActOnLab(_) | Task::ImportLab(_) | Task::BackUpLab(_));
        let latest = operations
            .iter()
            .filter(|operation| matches!(operation.requested_by, Actor::User { .. }))
            .filter_map(|operation| match &operation.task {
                // Who waited for it has only just got it.
                task if at_labs(task) => Some((operation.finished_at.unwrap_or(operation.requested_at), task.kind())),
                // Also where it ran already; what a start brings up counts from there.
                Task::StartWorker => Some((operation.requested_at, operation.task.kind())),
                _ => None,
            })
            .max();
        let busy = |task: &Task| {
            at_labs(task) || matches!(task, Task::RegisterLicense(_) | Task::RenewLicense(_) | Task::DeregisterLicense)
        };
        let under_way = operations.iter().find(|operation| !operation.status.is_final() && busy(&operation.task));
        Self { latest, under_way: under_way.map(|operation| operation.task.kind()) }
    }

    /// Whether operations asked for before `asked_at` may tell of a later use than these do, of a worker that was used
    /// at `used_at` by another sign.
    #[must_use]
    pub fn may_be_older(&self, asked_at: Timestamp, used_at: Timestamp) -> bool {
        let used_at = self.latest.map_or(used_at, |(at, _)| at.max(used_at));
        self.under_way.is_none() && asked_at >= used_at - LAB_WORK_TAKES
    }
}

#[cfg(test)]
mod tests {
    use super::super::cml::{LabTask, RenewLicenseTask};
    use super::*;
    use crate::lab::LabAction;
    use crate::operation::{OperationResult, Task};
    use crate::{OperationId, Role};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn operation(task: Task, by: Actor, second: i64) -> Operation {
        Operation::new(OperationId::new(at(second), 1), task, None, by, at(second))
    }

    fn start() -> Task {
        Task::ActOnLab(LabTask::new("lab-1".parse().unwrap(), LabAction::Start))
    }

    fn person() -> Actor {
        Actor::User { subject: "1".into(), username: Role::User.name().into() }
    }

    #[test]
    fn the_newest_request_of_a_person_at_a_lab_counts_and_no_machine_and_no_reading() {
        let all = [
            operation(start(), person(), 10),
            operation(start(), person(), 30),
            operation(start(), Actor::idle_shutdown(), 40),
            operation(Task::RefreshLabs, person(), 50),
        ];
        assert_eq!(Work::shown_by(&all).latest, Some((at(30), "start_lab")));
        assert_eq!(Work::shown_by(&all[2..]).latest, None);
    }

    #[test]
    fn what_took_long_counts_from_its_end() {
        let mut slow = operation(start(), person(), 10);
        slow.fail("cml_refused", "no", at(300));
        let all = [slow, operation(start(), person(), 200)];
        assert_eq!(Work::shown_by(&all).latest, Some((at(300), "start_lab")));
    }

    #[test]
    fn who_starts_a_worker_wants_it_to_run_and_the_reconciler_wants_nothing() {
        let all = [operation(Task::StartWorker, person(), 10), operation(Task::StartWorker, Actor::reconciler(), 20)];
        assert_eq!(Work::shown_by(&all).latest, Some((at(10), "start_worker")));
        assert_eq!(Work::shown_by(&[operation(Task::StopWorker, person(), 10)]).latest, None);
    }

    #[test]
    fn older_operations_tell_no_more_once_the_slowest_of_them_had_ended_before_the_last_sign_of_use() {
        let hour = LAB_WORK_TAKES.as_secs();
        let nothing = Work::default();
        assert!(nothing.may_be_older(at(10), at(10 + hour)));
        assert!(!nothing.may_be_older(at(10), at(11 + hour)));
        let known = Work { latest: Some((at(11 + hour), "start_lab")), under_way: None };
        assert!(!known.may_be_older(at(10), at(0)));
        assert!(known.may_be_older(at(11), at(0)));
        let busy = Work { latest: None, under_way: Some("import_lab") };
        assert!(!busy.may_be_older(at(10), at(0)), "it is in use already");
    }

    #[test]
    fn what_has_ended_is_not_under_way_and_a_notice_is_no_use() {
        let mut ended = operation(start(), person(), 10);
        ended.succeed(OperationResult::default(), at(20));
        assert_eq!(Work::shown_by(&[ended]).under_way, None);
        assert_eq!(Work::shown_by(&[operation(Task::RefreshLabs, person(), 10)]).under_way, None);
        let renewing = operation(Task::RenewLicense(RenewLicenseTask::default()), person(), 10);
        assert_eq!(Work::shown_by(&[renewing]).under_way, Some("renew_license"));
    }
}
