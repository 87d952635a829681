use super::*;
use crate::fixture::{ada, at, instance_id};
use proptest::prelude::*;

fn queued() -> Operation {
    Operation::new(OperationId::new(at(0), 1), Task::StartWorker, Some(WorkerId::new(at(0), 7)), ada(), at(0))
}

#[test]
fn a_new_operation_waits_and_knows_its_deadline() {
    let operation = queued();
    assert_eq!((operation.status, operation.version, operation.attempts), (OperationStatus::Queued, 1, 0));
    assert_eq!((operation.started_at, operation.finished_at), (None, None));
    assert_eq!(operation.expires_at, at(45));
}

#[test]
fn it_begins_once() {
    let mut operation = queued();
    operation.begin(at(1));
    operation.begin(at(2));
    assert_eq!((operation.status, operation.started_at), (OperationStatus::Running, Some(at(1))));
    operation.succeed(OperationResult::default(), at(3));
    operation.begin(at(4));
    assert_eq!((operation.status, operation.started_at), (OperationStatus::Succeeded, Some(at(1))));
}

#[test]
fn its_end_has_a_time_and_either_a_result_or_an_error() {
    let mut done = queued();
    done.begin(at(1));
    done.waiting_for = Some("the instance to run".into());
    done.succeed(OperationResult { worker_id: done.target, ..OperationResult::default() }, at(9));
    assert_eq!((done.finished_at, &done.waiting_for, &done.error), (Some(at(9)), &None, &None));
    assert_eq!(done.result.unwrap().worker_id, done.target);

    let mut failed = queued();
    failed.fail("InsufficientInstanceCapacity", "None left.", at(2));
    // It never began, and still has both times: a reader need not guess.
    assert_eq!((failed.started_at, failed.finished_at, failed.result), (Some(at(2)), Some(at(2)), None));
    assert_eq!(failed.error.unwrap().code, "InsufficientInstanceCapacity");
}

#[test]
fn at_its_deadline_it_expires_and_says_what_it_waited_for() {
    let mut operation = queued();
    operation.begin(at(1));
    operation.waiting_for = Some("the instance to run".into());
    assert!(!operation.expire_if_due(at(44)));
    assert_eq!(operation.status, OperationStatus::Running);
    assert!(operation.expire_if_due(at(45)));
    assert_eq!((operation.status, operation.finished_at), (OperationStatus::Expired, Some(at(45))));
    let error = operation.error.clone().unwrap();
    assert_eq!(error.code, "deadline_exceeded");
    assert!(error.message.contains("waited for the instance to run"), "{}", error.message);

    let mut untouched = queued();
    assert!(untouched.expire_if_due(at(45)));
    assert!(untouched.error.unwrap().message.contains("its first attempt"));
}

#[test]
fn what_has_ended_does_not_expire() {
    let mut done = queued();
    done.succeed(OperationResult::default(), at(9));
    let mut failed = queued();
    failed.fail("superseded", "Stopped since.", at(9));
    let mut expired = queued();
    assert!(expired.expire_if_due(at(50)));
    for mut operation in [done, failed, expired] {
        let before = operation.clone();
        assert!(!operation.expire_if_due(at(10_000)));
        assert_eq!(operation, before);
    }
}

#[test]
fn every_task_has_its_own_name_and_time_to_end_in() {
    let place = crate::fixture::draft().place;
    let import = |selector| Task::ImportWorkers(ImportTask { place: place.clone(), selector, name: None });
    let tasks = [
        Task::CreateWorker,
        import(ImportSelector::InstanceId(instance_id(1).to_string())),
        Task::StartWorker,
        Task::StopWorker,
        Task::TerminateWorker,
        Task::RefreshWorker,
        Task::SetMonitoring { enabled: true },
        Task::UpdateTags { remove: vec![] },
    ];
    let kinds: std::collections::BTreeSet<&str> = tasks.iter().map(Task::kind).collect();
    assert_eq!(kinds.len(), tasks.len());
    // Bare metal may take 10 minutes down and 10 up again, before any waiting for capacity.
    assert!(Task::StartWorker.time_allowed() >= SignedDuration::from_mins(20));
    assert!(tasks.iter().all(|task| task.time_allowed() > SignedDuration::ZERO));
}

#[test]
fn names_of_statuses_read_back_in_one_spelling_only() {
    for status in OperationStatus::ALL {
        assert_eq!(OperationStatus::from_name(status.name()), Some(status));
        assert_eq!(OperationStatus::from_name(&status.name().to_uppercase()), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// A driver that only looks, waits and is late: whatever it does, the deadline ends it.
    #[test]
    fn an_operation_that_is_looked_at_often_enough_always_ends(steps in prop::collection::vec((0_i64..30, 0_u8..4), 1..40)) {
        let mut operation = queued();
        let mut now = 0;
        for (minutes, what) in steps {
            now += minutes;
            if operation.status.is_final() || operation.expire_if_due(at(now)) {
                break;
            }
            match what {
                0 => operation.begin(at(now)),
                1 => operation.waiting_for = Some("EC2".into()),
                2 => operation.fail("code", "message", at(now)),
                _ => {}
            }
        }
        operation.expire_if_due(at(now.max(45)));
        prop_assert!(operation.status.is_final());
        prop_assert!(operation.started_at <= operation.finished_at && operation.finished_at.is_some());
        prop_assert!(operation.result.is_some() != operation.error.is_some());
        prop_assert_eq!(operation.waiting_for, None);
    }
}
