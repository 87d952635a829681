use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::id::OperationId;
use crate::reconcile::Failure;

fn at(minutes: i64) -> Timestamp {
    "2026-03-02T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

fn wish(desired: DesiredLab) -> LabWish {
    LabWish { desired, wished_by: Actor::System("mia".into()), wished_at: at(0) }
}

fn shown(state: &str) -> LabEvidence {
    LabEvidence {
        sight: LabSight::Shown(LabState::from_name(state)),
        as_wished_at: None,
        worker_started_at: Some(at(-60)),
        stopped_for_end_at: None,
        held: None,
        operation_under_way: false,
    }
}

/// The record with the drift there is, as whoever judges keeps it.
fn noting(record: ReconcileRecord, wish: &LabWish, evidence: &LabEvidence, now: Timestamp) -> ReconcileRecord {
    let found = drift(wish, evidence, &record, now);
    record.drifted(found.into_iter().collect())
}

fn judge(wish: &LabWish, evidence: &LabEvidence, record: &ReconcileRecord, minutes: i64) -> Decision {
    decide(Some(wish), evidence, record, &ReconcilePolicy::labs(), at(minutes))
}

#[test]
fn a_lab_that_nobody_wished_for_is_left_as_it_is() {
    for state in ["DEFINED_ON_CORE", "STARTED", "STOPPED", "PAUSED"] {
        let decision = decide(None, &shown(state), &ReconcileRecord::default(), &ReconcilePolicy::labs(), at(600));
        assert_eq!(decision.action, Action::None, "{state}");
    }
}

/// Read this when it changes: what is done about each wish and each state, and why.
#[test]
fn each_wish_and_each_state_give_an_action_and_a_reason() {
    let record = ReconcileRecord::default();
    let mut table = String::new();
    for desired in DesiredLab::ALL {
        let sights = ["DEFINED_ON_CORE", "STARTED", "STOPPED", "PAUSED"]
            .map(|state| LabSight::Shown(LabState::from_name(state)));
        for sight in sights.into_iter().chain([LabSight::NotShown, LabSight::Gone]) {
            let decision = judge(&wish(desired), &LabEvidence { sight: sight.clone(), ..shown("") }, &record, 10);
            let sight = match &sight {
                LabSight::Shown(state) => state.name().to_owned(),
                other => format!("{other:?}"),
            };
            table += &format!("{} {sight}: {}: {}\n", desired.name(), decision.action.name(), decision.reason);
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_its_worker_stopped_with_is_started_again_and_what_a_person_stopped_is_respected() {
    let wish = wish(DesiredLab::Started);
    let restarted = LabEvidence { as_wished_at: Some(at(30)), worker_started_at: Some(at(90)), ..shown("STOPPED") };
    assert_eq!(drift(&wish, &restarted, &ReconcileRecord::default(), at(100)), None);
    let decision = judge(&wish, &restarted, &ReconcileRecord::default(), 100);
    assert_eq!(decision.action, Action::Start);
    assert!(decision.reason.contains("Its worker was started at 2026-03-02 10:30 UTC"), "{}", decision.reason);

    let by_hand = LabEvidence { worker_started_at: Some(at(-60)), ..restarted };
    let record = noting(ReconcileRecord::default(), &wish, &by_hand, at(100));
    let decision = judge(&wish, &by_hand, &record, 100);
    let respected_until = at(100) + ReconcilePolicy::labs().manual_change_hold;
    assert_eq!((decision.action, decision.next), (Action::Wait, Some((Action::Start, respected_until))));
    // Since when an imported worker runs may not be known.
    let unknown = LabEvidence { worker_started_at: None, ..by_hand.clone() };
    assert!(drift(&wish, &unknown, &ReconcileRecord::default(), at(100)).is_some());
    // We stopped it ourselves, for an end of its worker that did not come.
    let for_end = LabEvidence { stopped_for_end_at: Some(at(40)), ..by_hand.clone() };
    assert_eq!(drift(&wish, &for_end, &ReconcileRecord::default(), at(100)), None);
    let decision = judge(&wish, &for_end, &ReconcileRecord::default(), 100);
    assert_eq!(decision.action, Action::Start);
    assert!(decision.reason.ends_with("It was stopped for the end of its worker, which did not come."), "{decision:?}");
    let stopped_wish = LabWish { desired: DesiredLab::Stopped, ..wish.clone() };
    let started = LabEvidence { sight: LabSight::Shown(LabState::Started), ..for_end };
    assert!(drift(&stopped_wish, &started, &ReconcileRecord::default(), at(100)).is_some(), "no end starts a lab");
    // The time is the first at which it was seen so, however often it is judged.
    let later = noting(record, &wish, &by_hand, at(500));
    assert_eq!(judge(&wish, &by_hand, &later, 100 + 12 * 60 - 1).action, Action::Wait);
    assert_eq!(judge(&wish, &by_hand, &later, 100 + 12 * 60).action, Action::Start);
}

#[test]
fn ten_looks_within_grace_start_once_and_failures_are_spaced_until_it_is_given_up() {
    let (wish, evidence, policy) = (wish(DesiredLab::Started), shown("STOPPED"), ReconcilePolicy::labs());
    let mut record = ReconcileRecord::default();
    let mut starts = Vec::new();
    let mut now = at(0);
    for n in 0..600_u128 {
        let decision = decide(Some(&wish), &evidence, &record, &policy, now);
        if decision.action == Action::Start {
            starts.push(now.duration_since(at(0)).as_mins());
            record = record.acted(Action::Start, Some(OperationId::new(now, n)), now);
            let failure = Failure { code: "not_reached".into(), message: "CML shows STOPPED.".into(), at: now };
            // The first is only never heard of.
            record.last_failure = (starts.len() > 1).then_some(failure);
        }
        now += SignedDuration::from_secs(12);
    }
    assert_eq!(starts, [0, 2, 3, 5, 9], "grace, a free one, then a minute, two, four");
    assert_eq!(decide(Some(&wish), &evidence, &record, &policy, now).action, Action::GiveUp);
}

#[test]
fn what_cml_refuses_is_not_asked_for_again() {
    let failure = Failure { code: "cml_refused".into(), message: "exceeds the licensed limit".into(), at: at(1) };
    let record = ReconcileRecord { attempts: 1, last_failure: Some(failure), ..ReconcileRecord::default() };
    let decision = judge(&wish(DesiredLab::Started), &shown("STOPPED"), &record, 600);
    assert_eq!(decision.action, Action::GiveUp);
    assert!(decision.reason.contains("exceeds the licensed limit"), "{}", decision.reason);
}

fn evidences() -> impl Strategy<Value = LabEvidence> {
    let states = prop::sample::select(vec!["DEFINED_ON_CORE", "STARTED", "STOPPED", "PAUSED"]);
    let sights = prop_oneof![
        4 => states.prop_map(|state| LabSight::Shown(LabState::from_name(state))),
        1 => Just(LabSight::NotShown),
        1 => Just(LabSight::Gone),
    ];
    let minutes = || prop::option::of((-100_i64..2_000).prop_map(at));
    (sights, minutes(), minutes(), minutes(), any::<bool>(), any::<bool>()).prop_map(
        |(sight, as_wished_at, worker_started_at, stopped_for_end_at, held, operation_under_way)| LabEvidence {
            sight,
            as_wished_at,
            worker_started_at,
            stopped_for_end_at,
            held: held.then(|| "Its worker is stopped.".to_owned()),
            operation_under_way,
        },
    )
}

proptest! {
    #[test]
    fn every_pair_gives_an_action_or_a_wait_with_a_reason_and_an_end(
        desired in prop::sample::select(DesiredLab::ALL.to_vec()),
        evidence in evidences(),
        attempts in 0_u32..8,
        acted in prop::option::of(0_i64..2_000),
        now in 0_i64..2_000,
    ) {
        let wish = wish(desired);
        let mut record = ReconcileRecord { attempts, ..ReconcileRecord::default() };
        if let Some(minutes) = acted {
            record = record.acted(desired.action(), None, at(minutes.min(now)));
        }
        let record = noting(record, &wish, &evidence, at(now));
        let decision = judge(&wish, &evidence, &record, now);
        prop_assert_eq!(&decision, &judge(&wish, &evidence, &record, now));
        prop_assert!(!decision.reason.is_empty());
        prop_assert!(decision.next_check_at >= at(now));
        // Only what the wish needs is ever done, and never while something is done or nothing can be.
        if decision.action.acts() {
            prop_assert_eq!(decision.action, desired.action());
            prop_assert!(evidence.held.is_none() && !evidence.operation_under_way);
            // Judged again after it was done, there is nothing to do but wait.
            let after = record.acted(decision.action, None, at(now));
            let again = judge(&wish, &evidence, &after, now);
            prop_assert!(!again.action.acts(), "{again:?}");
        }
    }
}

/// What CML, which obeys, shows of a lab after that was done.
fn obeyed(evidence: LabEvidence, action: Action) -> LabEvidence {
    let sight = match action {
        Action::Start => LabSight::Shown(LabState::Started),
        Action::Stop => LabSight::Shown(LabState::Stopped),
        _ => match evidence.sight {
            LabSight::NotShown => LabSight::Shown(LabState::Stopped),
            sight => sight,
        },
    };
    // Nothing is held for ever, nor under way.
    LabEvidence { sight, held: None, operation_under_way: false, ..evidence }
}

proptest! {
    #[test]
    fn with_a_cml_that_obeys_every_wish_comes_true_or_is_told_to_be_over(
        desired in prop::sample::select(DesiredLab::ALL.to_vec()),
        evidence in evidences(),
        attempts in 0_u32..5,
        acted in prop::option::of(0_i64..2_000),
        fails in 0_u32..3,
    ) {
        let (wish, policy) = (wish(desired), ReconcilePolicy::labs());
        let mut record = ReconcileRecord { attempts, ..ReconcileRecord::default() };
        if let Some(minutes) = acted {
            record = record.awaits(desired.action(), OperationId::new(at(minutes), 1), at(minutes));
        }
        let (mut evidence, mut now, mut fails) = (evidence, at(2_000), fails);
        // A hold, the waits between all attempts, and the looks between.
        let enough = now + policy.manual_change_hold + SignedDuration::from_hours(4);
        loop {
            record = noting(record, &wish, &evidence, now);
            let decision = decide(Some(&wish), &evidence, &record, &policy, now);
            match decision.action {
                Action::None => {
                    prop_assert!(matches!(&evidence.sight, LabSight::Shown(state) if desired.is_reached(state) == Some(true)));
                    break;
                }
                Action::Forget => {
                    prop_assert_eq!(evidence.sight, LabSight::Gone);
                    break;
                }
                Action::GiveUp => {
                    prop_assert!(record.attempts >= policy.attempts_max);
                    break;
                }
                // Nobody wished what CML shows: a person paused it, and has to go on.
                Action::Wait if evidence.sight == LabSight::Shown(LabState::from_name("PAUSED")) => break,
                _ => {}
            }
            prop_assert!(now < enough, "it never comes: {}", decision.reason);
            let mut done = decision.action;
            if done.acts() {
                prop_assert_eq!(done, desired.action());
                record = record.acted(done, None, now);
                if fails > 0 {
                    fails -= 1;
                    let code = "not_reached".to_owned();
                    record.last_failure = Some(Failure { code, message: "CML shows otherwise.".into(), at: now });
                    done = Action::Wait;
                }
            }
            evidence = obeyed(evidence, done);
            now = decision.next_check_at.max(now + SignedDuration::from_secs(30));
        }
    }
}

#[test]
fn what_somebody_did_in_cml_is_respected_through_a_start_of_the_worker_and_what_is_not_shown() {
    let wish = wish(DesiredLab::Started);
    let stopped = LabEvidence { as_wished_at: Some(at(10)), ..shown("STOPPED") };
    let record = noting(ReconcileRecord::default(), &wish, &stopped, at(20));
    let since = record.drift[0].since;
    let restarted = LabEvidence { worker_started_at: Some(at(30)), ..stopped.clone() };
    let unseen = LabEvidence { sight: LabSight::NotShown, ..stopped.clone() };
    let busy = LabEvidence { operation_under_way: true, ..stopped.clone() };
    for (name, evidence) in [("restarted", &restarted), ("not shown", &unseen), ("saved", &busy)] {
        let later = noting(record.clone(), &wish, evidence, at(40));
        assert_eq!(later.drift.first().map(|drift| drift.since), Some(since), "{name}");
        let decision = judge(&wish, &stopped, &later, 60);
        let hold_over = since + ReconcilePolicy::labs().manual_change_hold;
        assert_eq!((decision.action, decision.next), (Action::Wait, Some((Action::Start, hold_over))), "{name}");
    }
    assert_eq!(judge(&wish, &restarted, &record, 60).action, Action::Wait);
    // It is over when the lab is as wished, or when somebody wishes anew.
    assert_eq!(drift(&wish, &shown("STARTED"), &record, at(40)), None);
    let anew = LabWish { wished_at: at(35), ..wish };
    assert_eq!(drift(&anew, &restarted, &record, at(40)), None);
}

#[test]
fn what_was_decided_stands_while_its_worker_runs_on() {
    use crate::fixture::worker;
    use crate::worker::DesiredState;

    let decided = Some((at(30), said(Action::None, "It is started, as wished by mia.", at(45))));
    let since = Some(at(10));
    let runs = Worker { running_since: since, ..worker(WorkerStatus::Running, DesiredState::Running) };
    assert_eq!(standing(decided.clone(), &runs), decided);
    assert_eq!(standing(None, &runs), None, "it is to be judged for the first time");
    let restarted = Worker { running_since: Some(at(40)), ..runs };
    let told = |worker: &Worker| {
        let (since, decision) = standing(decided.clone(), worker).unwrap();
        assert_eq!((decision.action, decision.next), (Action::Wait, None));
        (since, decision.reason)
    };
    let reason =
        "Its worker runs since 2026-03-02 09:40 UTC, and CML was not read since. It is judged when CML shows it.";
    assert_eq!(told(&restarted), (at(40), reason.into()));
    let stopped = Worker { status: WorkerStatus::Stopped, status_since: at(50), ..restarted };
    let reason = "Its worker is stopped since 2026-03-02 09:50 UTC. It is judged when CML shows it.";
    assert_eq!(told(&stopped), (at(50), reason.into()));
}
