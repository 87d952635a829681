//! What holds for every worker, whatever was seen and tried.

use super::*;
use crate::id::OperationId;
use crate::reconcile::LastAction;
use jiff::SignedDuration;
use proptest::prelude::*;

/// Anything that may be judged.
#[derive(Clone, Debug)]
struct Any {
    worker: Worker,
    evidence: Evidence,
    record: ReconcileRecord,
    now: Timestamp,
}

fn anything() -> impl Strategy<Value = Any> {
    let time = || (0_i64..2_000).prop_map(at);
    let moment = move || prop::option::of(time());
    let departure = prop::option::of((prop::sample::select(DriftKind::ALL.to_vec()), time()));
    let worker = (
        prop::sample::select(WorkerStatus::ALL.to_vec()),
        prop::sample::select(DesiredState::ALL.to_vec()),
        departure,
        moment(),
        time(),
        any::<bool>(),
    )
        .prop_map(|(status, desired, departure, running_since, status_since, never)| Worker {
            status,
            desired,
            departure: departure.filter(|(kind, _)| kind.is_of_power()).map(|(kind, at)| Departure { kind, at }),
            running_since,
            status_since,
            ..if never { draft() } else { worker(status, desired) }
        });
    let evidence = (moment(), prop::option::of(0_u32..3), any::<bool>()).prop_map(
        |(read_at, running_nodes, operation_under_way)| Evidence {
            read_at,
            running_nodes,
            operation_under_way,
            ..Evidence::default()
        },
    );
    let code = prop::sample::select(vec!["InternalError", "UnauthorizedOperation", "deadline_exceeded"]);
    let record = (
        0_u32..10,
        prop::option::of((prop::sample::select(Action::ALL.to_vec()), time())),
        prop::option::of((code, time())),
    )
        .prop_map(|(attempts, last, failure)| {
            let acted = last.map(|(action, at)| LastAction { action, at, operation: None });
            let last_failure = failure.map(|(code, at)| Failure { code: code.into(), message: "words".into(), at });
            ReconcileRecord { attempts, last_action: acted, last_failure, ..ReconcileRecord::default() }
        });
    (worker, evidence, record, time()).prop_map(|(mut worker, evidence, mut record, now)| {
        // Nothing comes from the future.
        if let Some(departure) = &mut worker.departure {
            departure.at = departure.at.min(now);
        }
        if let Some(last) = &mut record.last_action {
            last.at = last.at.min(now);
        }
        if let Some(failure) = &mut record.last_failure {
            failure.at = failure.at.min(now);
        }
        Any { worker, evidence, record, now }
    })
}

/// What EC2, which obeys, makes of a worker in five minutes.
fn obeyed(worker: &Worker, action: Action, now: Timestamp) -> Worker {
    use InstanceState as Is;
    let seen = |state| instance(state);
    let intended = Command::IntendLaunch {
        ami_id: "ami-0123456789abcdef0".into(),
        offer: crate::worker::Offer { instance_type: "m5zn.metal".into(), subnet_id: None },
        fallback: None,
    };
    let mut next = match action {
        Action::Launch | Action::Relaunch => after(worker, command(worker, &intended).unwrap_or_default(), now),
        _ => worker.clone(),
    };
    let state = match (action, next.status) {
        (Action::Launch | Action::Relaunch | Action::Start, _) => Is::Pending,
        (Action::Stop, _) => Is::Stopping,
        (Action::Terminate, _) => Is::Terminated,
        (_, WorkerStatus::Provisioning | WorkerStatus::Starting | WorkerStatus::Unknown) => Is::Running,
        (_, WorkerStatus::Stopping) => Is::Stopped,
        (_, WorkerStatus::Terminating) => Is::Terminated,
        // An open launch that is not wanted is not there, asked twice.
        (_, WorkerStatus::Pending) => {
            for _ in 0..2 {
                let events = observe_instance(&next, Seen::Absent, now);
                next = after(&next, events, now - crate::worker::observe::MISSING_AGAIN_AFTER);
            }
            return next;
        }
        _ => return next,
    };
    let mut seen = seen(state);
    seen.launched_at = next.running_since;
    let known = next.instance.as_ref().map(|facts| facts.id.clone());
    seen.id = known.unwrap_or(seen.id);
    after(&next, observe_instance(&next, Seen::Present(&seen), now), now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_judgement_is_total_repeatable_and_says_why_and_when(any in anything()) {
        let decision = judge(&any.worker, &any.evidence, &any.record, any.now);
        prop_assert_eq!(&judge(&any.worker, &any.evidence, &any.record, any.now), &decision);
        prop_assert!(!decision.reason.trim().is_empty());
        prop_assert!(decision.next_check_at > any.now);
        prop_assert!(decision.next_check_at <= any.now + SignedDuration::from_mins(15));
        prop_assert_eq!(decision.next_action.is_some(), decision.next_action_at.is_some());
    }

    #[test]
    fn what_was_just_done_is_not_done_again(any in anything()) {
        let decision = judge(&any.worker, &any.evidence, &any.record, any.now);
        if decision.action.acts() && any.worker.desired != DesiredState::Running
            || decision.action.acts() && decision.action != Action::Stop
        {
            let operation = Some(OperationId::new(any.now, 1));
            let mut acted = any.record.clone().acted(decision.action, operation, any.now);
            // It did not fail in the same moment.
            acted.last_failure = acted.last_failure.filter(|failure| failure.at < any.now);
            // Lists may show the operation, or not yet.
            for operation_under_way in [true, false] {
                let evidence = Evidence { operation_under_way, ..any.evidence.clone() };
                let again = judge(&any.worker, &evidence, &acted, any.now + SignedDuration::from_secs(60));
                prop_assert!(!again.action.acts(), "{:?} again: {}", again.action, again.reason);
            }
        }
    }

    #[test]
    fn nothing_is_destroyed_without_a_wish(any in anything()) {
        let decision = judge(&any.worker, &any.evidence, &any.record, any.now);
        match decision.action {
            Action::Terminate => prop_assert_eq!(any.worker.desired, DesiredState::Terminated),
            Action::Launch | Action::Relaunch | Action::Start => {
                prop_assert_eq!(any.worker.desired, DesiredState::Running);
                let by_hand = any.worker.departure.is_some_and(|it| it.kind == DriftKind::TerminatedByHand);
                let gone = any.worker.status == WorkerStatus::Terminated;
                prop_assert!(!(by_hand && gone), "what a person terminated is not replaced");
            }
            Action::Stop => prop_assert_eq!(any.worker.status, WorkerStatus::Running),
            _ => {}
        }
    }

    #[test]
    fn with_an_ec2_that_obeys_every_wish_comes_true_or_somebody_is_asked(any in anything()) {
        let mut worker = any.worker.clone();
        let mut record = ReconcileRecord::default();
        let begin = any.now.max(at(2_000));
        // A hold may be among them.
        let (mut now, enough) = (begin, begin + SignedDuration::from_hours(15));
        while !worker.is_as_wished() {
            // CML can be read, and nobody uses it: what is not known of it may be waited for without end.
            let unused = Evidence { read_at: Some(now), running_nodes: Some(0), ..Evidence::default() };
            let decision = judge(&worker, &unused, &record, now);
            if matches!(decision.action, Action::Ask | Action::GiveUp | Action::None | Action::Forget) {
                break;
            }
            if decision.action.acts() {
                record = record.acted(decision.action, None, now);
            }
            worker = obeyed(&worker, decision.action, now);
            now = decision.next_check_at.max(now + SignedDuration::from_mins(5));
            prop_assert!(now < enough, "it never comes: {:?} {}", worker.status, decision.reason);
        }
    }
}
