use super::*;
use crate::decision::Action;
use crate::drift::{Drift, DriftKind};
use crate::fixture::{ada, at, worker};
use crate::id::{OperationId, WorkerId};
use crate::operation::{Operation, SAFE_MODE, Task};
use crate::worker::{DesiredState, WorkerStatus};
use jiff::SignedDuration;
use proptest::prelude::*;

fn operation(task: Task, minute: i64) -> Operation {
    let target = worker(WorkerStatus::Stopped, DesiredState::Running).id;
    let random = u128::try_from(minute).unwrap();
    Operation::new(OperationId::new(at(minute), random), task, Some(target), ada(), at(minute))
}

fn ended(code: &str, minute: i64) -> Operation {
    let mut operation = operation(Task::StartWorker, minute);
    operation.fail(code, "words", at(minute + 1));
    operation
}

#[test]
fn every_name_reads_back_and_is_like_no_other() {
    for action in Action::ALL {
        assert_eq!(Action::from_name(action.name()), Some(action));
    }
    for kind in DriftKind::ALL {
        assert_eq!(DriftKind::from_name(kind.name()), Some(kind));
    }
    for kind in ConditionKind::ALL {
        assert_eq!(ConditionKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!((Action::from_name("Stop"), DriftKind::from_name("")), (None, None));
}

#[test]
fn only_what_stops_or_destroys_is_braked_and_all_of_it_acts() {
    let destructive: Vec<_> = Action::ALL.into_iter().filter(|action| action.is_destructive()).collect();
    assert_eq!(destructive, [Action::Stop, Action::Terminate]);
    assert!(destructive.iter().all(|action| action.acts()));
    assert!(!Action::Ask.acts() && !Action::GiveUp.acts() && !Action::Investigate.acts());
}

#[test]
fn two_attempts_are_free_and_then_the_wait_doubles_up_to_its_cap() {
    let policy = ReconcilePolicy::workers();
    let minutes: Vec<i64> = (0..10).map(|attempts| policy.backoff(attempts).as_mins()).collect();
    assert_eq!(minutes, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn an_operation_that_takes_over_a_wish_is_awaited_and_is_no_attempt_and_its_end_counts() {
    let begun_for_another_wish = operation(Task::TerminateWorker, 1);
    let policy = ReconcilePolicy::workers();
    let record = ReconcileRecord::default().for_wish(9).awaits(Action::Terminate, begun_for_another_wish.id, at(90));
    assert_eq!((record.attempts, record.grace_until(None, &policy)), (0, Some(at(90) + policy.grace)));
    assert_eq!(record.last_action.and_then(|last| last.operation), Some(begun_for_another_wish.id));
    let mut failed = begun_for_another_wish;
    failed.fail("UnauthorizedOperation", "words", at(95));
    assert!(record.outcome(&failed).failed_for_good().is_some());
}

#[test]
fn another_wish_begins_anew_and_the_same_one_does_not() {
    let last = operation(Task::StartWorker, 1);
    let record = ReconcileRecord::default().for_wish(3).acted(Action::Start, Some(last.id), at(1));
    let record = record.outcome(&ended("VcpuLimitExceeded", 2));
    assert_eq!((record.attempts, record.failed_for_good().is_some()), (1, true));
    assert_eq!(record.clone().for_wish(3), record);
    let anew = record.clone().for_wish(4);
    assert_eq!((anew.wish, anew.attempts, anew.last_action, anew.last_failure), (4, 0, None, None));
    // What has been counted is not counted for the new wish.
    assert_eq!(anew.counted, record.counted);
}

#[test]
fn an_outcome_is_counted_once_and_what_others_overtook_is_none() {
    let failed = ended("InternalError", 5);
    let record = ReconcileRecord::default().outcome(&failed);
    assert_eq!(record.last_failure.as_ref().map(|failure| failure.at), Some(at(6)));
    assert_eq!(record.clone().outcome(&failed), record);
    // One that ended earlier, and is read later.
    assert_eq!(record.clone().outcome(&ended("Unavailable", 4)), record);
    for code in ["superseded", "safe_mode", "worker_ending"] {
        assert_eq!(ReconcileRecord::default().outcome(&ended(code, 5)).last_failure, None, "{code}");
    }
    assert_eq!(ReconcileRecord::default().outcome(&operation(Task::StartWorker, 5)), ReconcileRecord::default());
    let mut succeeded = operation(Task::StartWorker, 9);
    succeeded.succeed(crate::operation::OperationResult::default(), at(10));
    assert_eq!(record.outcome(&succeeded).last_failure, None);
}

#[test]
fn what_somebody_asked_for_is_awaited_and_is_no_attempt_of_ours() {
    let asked = operation(Task::CreateWorker, 1);
    let policy = ReconcilePolicy::workers();
    let record = ReconcileRecord::default().asked(&asked);
    assert_eq!((record.attempts, record.grace_until(None, &policy)), (0, Some(at(21))));
    assert_eq!(record.clone().outcome(&ended("InternalError", 2)).grace_until(None, &policy), None);
    // What happened after it is not what was asked for.
    assert_eq!(record.grace_until(Some(at(2)), &policy), None);
    assert_eq!(ReconcileRecord::default().asked(&operation(Task::RefreshWorker, 1)), ReconcileRecord::default());
}

#[test]
fn terminal_codes_are_those_of_ec2_that_no_wait_changes() {
    for terminal in ["UnauthorizedOperation", "VcpuLimitExceeded", "InvalidAMIID.NotFound", "no_target"] {
        assert!(is_terminal(terminal), "{terminal}");
    }
    for passing in ["InsufficientInstanceCapacity", "RequestLimitExceeded", "deadline_exceeded", "timeout"] {
        assert!(!is_terminal(passing), "{passing}");
    }
}

#[test]
fn conditions_and_drift_keep_the_time_since_which_they_are_so() {
    let drift = |is: &str, minute| Drift { kind: DriftKind::Tags, was: "a=1".into(), is: is.into(), since: at(minute) };
    let known = [(ConditionKind::Ready, Some(true)), (ConditionKind::Licensed, None)];
    let record = ReconcileRecord::default().observed(&known, at(1)).drifted(vec![drift("a=", 1)]);
    assert_eq!(record.conditions, [Condition { kind: ConditionKind::Ready, holds: true, since: at(1) }]);
    let later = record.observed(&[(ConditionKind::Ready, Some(true))], at(2)).drifted(vec![drift("a=", 2)]);
    assert_eq!((later.conditions[0].since, later.drift[0].since), (at(1), at(1)));
    let unknown = later.observed(&[(ConditionKind::Ready, None)], at(3));
    assert!(unknown.conditions[0].holds, "what is not known stays as it was");
    let other = unknown.observed(&[(ConditionKind::Ready, Some(false))], at(4)).drifted(vec![drift("a=2", 4)]);
    assert_eq!((other.conditions[0].since, other.drift[0].since), (at(4), at(4)));
    assert_eq!(other.drifted(vec![]).drift, []);
}

proptest! {
    #[test]
    fn the_wait_never_shrinks_and_is_never_longer_than_its_cap(attempts in 0_u32..u32::MAX - 1, first in 1_i64..600) {
        let policy = ReconcilePolicy { backoff_first: SignedDuration::from_secs(first), ..ReconcilePolicy::workers() };
        prop_assert!(policy.backoff(attempts) <= policy.backoff(attempts + 1));
        prop_assert!(policy.backoff(attempts) <= policy.backoff_most);
    }
}

#[test]
fn ids_of_operations_follow_their_time() {
    let earlier: OperationId = operation(Task::StopWorker, 1).id;
    assert!(earlier < operation(Task::StopWorker, 2).id);
    assert_ne!(WorkerId::new(at(0), 1), WorkerId::new(at(0), 2));
}

#[test]
fn what_a_brake_held_is_not_awaited() {
    let held = ended("safe_mode", 5);
    let record = ReconcileRecord::default().asked(&held);
    assert!(record.last_action.is_some());
    let record = record.outcome(&held);
    assert_eq!((record.last_action, record.last_failure), (None, None));
}

#[test]
fn a_judgement_that_somebodys_wish_overtook_keeps_what_was_asked_for_since() {
    let before = ReconcileRecord::default().for_wish(4).asked(&operation(Task::StopWorker, 1));
    let judged = ReconcileRecord { conditions: vec![], attempts: 2, ..before.clone() };
    // Another wish.
    let anew = before.clone().for_wish(5).asked(&operation(Task::StartWorker, 3));
    assert_eq!(judged.clone().with_news_of(anew.clone()), anew);
    // The same one once more.
    let again = before.clone().asked(&operation(Task::StopWorker, 3));
    let merged = judged.clone().with_news_of(again.clone());
    assert_eq!((merged.attempts, merged.last_action), (2, again.last_action));
    // What the judgement did itself is newer, and what it let go stays so.
    let acted = judged.clone().acted(Action::Stop, Some(OperationId::new(at(5), 5)), at(5));
    assert_eq!(acted.clone().with_news_of(again), acted);
    let mut ended = operation(Task::StopWorker, 1);
    ended.fail(SAFE_MODE, "words", at(2));
    let let_go = before.clone().outcome(&ended);
    assert_eq!(let_go.last_action, None);
    assert_eq!(let_go.clone().with_news_of(before), let_go);
}
