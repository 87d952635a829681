use super::*;
use crate::activity::TelemetryEvent;
use crate::fixture::{after, at, instance, worker};
use crate::instance::InstanceState;
use crate::worker::observe::{Seen, observe_instance};
use crate::worker::spec::IDLE_TIMEOUT_MINUTES;
use crate::worker::{Command, IdlePolicy, command::command};
use proptest::prelude::*;

/// Everything one judgement is made of.
#[derive(Clone, Debug)]
struct Case {
    worker: Worker,
    evidence: Evidence,
    policy: PowerPolicy,
    now: Timestamp,
}

/// Takes one ground away.
type Spoil = fn(&mut Case);

impl Case {
    fn decide(&self) -> PowerDecision {
        decide(&self.worker, &self.evidence, &self.policy, self.now)
    }

    /// The same worker, judged when its readings were taken just now.
    fn read_at(&self, now: Timestamp) -> Self {
        let mut later = self.clone();
        later.now = now;
        later.evidence.read_at = Some(now);
        later
    }
}

fn running() -> Worker {
    worker(WorkerStatus::Running, DesiredState::Running)
}

fn secs(range: std::ops::Range<i64>) -> impl Strategy<Value = SignedDuration> {
    range.prop_map(SignedDuration::from_secs)
}

fn policies() -> impl Strategy<Value = PowerPolicy> {
    (secs(300..90_000), secs(0..10_000), secs(1..5_000), secs(1..5_000), secs(1..9_000)).prop_map(
        |(idle_timeout, minimum_uptime, metrics_interval, check_every, check_settled_every)| PowerPolicy {
            idle_shutdown: true,
            idle_timeout,
            minimum_uptime,
            metrics_interval,
            check_every,
            check_settled_every,
            notice_ahead: SignedDuration::from_mins(10),
        },
    )
}

fn timeouts() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(IDLE_TIMEOUT_MINUTES)
}

fn timeout(worker: &Worker, policy: &PowerPolicy) -> SignedDuration {
    worker.idle_policy.timeout_minutes.map_or(policy.idle_timeout, |m| SignedDuration::from_mins(i64::from(m)))
}

/// The oldest reading on which a stop may be judged.
fn oldest_reading(stop_at: Timestamp, policy: &PowerPolicy, now: Timestamp) -> Timestamp {
    let close = stop_at.max(now - policy.check_every) - SignedDuration::from_secs(90);
    close.max(now - policy.reading_valid_for())
}

/// Workers with every ground to be stopped: they run since minute 0, somebody used them for a
/// while, their time is over, and CML was read at about the deadline and says that nothing runs.
fn idle() -> impl Strategy<Value = Case> {
    let used = || prop::option::of(secs(-5_000..100_000));
    (policies(), timeouts(), used(), used(), secs(0..50_000), 0.0..=1.0_f64).prop_map(
        |(policy, timeout_minutes, person, nodes, late, freshness)| {
            let mut worker = running();
            worker.idle_policy.timeout_minutes = timeout_minutes;
            let start = at(0);
            let activity = Activity {
                person_at: person.map(|after| start + after),
                nodes_ran_at: nodes.map(|after| start + after),
                ..Activity::default()
            };
            let last = [activity.person_at, activity.nodes_ran_at].into_iter().flatten().fold(start, Timestamp::max);
            let stop_at = (last + timeout(&worker, &policy)).max(start + policy.minimum_uptime);
            let now = stop_at + late;
            let oldest = oldest_reading(stop_at, &policy, now).max(start);
            let age = now.duration_since(oldest).as_secs_f64() * freshness;
            let read_at = (now - SignedDuration::from_secs_f64(age)).max(oldest);
            let evidence = Evidence { read_at: Some(read_at), running_nodes: Some(0), activity, ..Evidence::default() };
            Case { worker, evidence, policy, now }
        },
    )
}

/// Anything at all, sensible or not.
fn anything() -> impl Strategy<Value = Case> {
    let time = || (-200_000_i64..200_000).prop_map(|second| at(0) + SignedDuration::from_secs(second));
    let moment = || prop::option::of(time());
    let status = prop_oneof![
        3 => Just(WorkerStatus::Running),
        1 => prop::sample::select(WorkerStatus::ALL.to_vec()),
    ];
    let desired = prop_oneof![3 => Just(DesiredState::Running), 1 => prop::sample::select(DesiredState::ALL.to_vec())];
    let worker = (status, desired, prop::bool::weighted(0.9), timeouts(), moment(), time(), time()).prop_map(
        |(status, desired, enabled, timeout_minutes, running_since, created_at, updated_at)| Worker {
            idle_policy: IdlePolicy { enabled, timeout_minutes },
            running_since,
            created_at,
            updated_at,
            ..worker(status, desired)
        },
    );
    let work = (moment(), prop::bool::weighted(0.1)).prop_map(|(latest, busy)| Work {
        latest: latest.map(|at| (at, "start_lab")),
        under_way: busy.then_some("back_up_lab"),
    });
    let evidence = (moment(), prop::option::of(0_u32..3), moment(), moment(), any::<bool>(), work).prop_map(
        |(read_at, running_nodes, person_at, nodes_ran_at, operation_under_way, work)| Evidence {
            operation_under_way,
            waiting_for: None,
            ending: None,
            read_at,
            running_nodes,
            activity: Activity { person_at, nodes_ran_at, ..Activity::default() },
            work,
        },
    );
    (worker, evidence, policies(), prop::bool::weighted(0.9), time()).prop_map(
        |(worker, evidence, policy, idle_shutdown, now)| Case {
            worker,
            evidence,
            policy: PowerPolicy { idle_shutdown, ..policy },
            now,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_judgement_is_total_repeatable_and_says_why_and_when(case in anything()) {
        let decision = case.decide();
        prop_assert_eq!(&case.decide(), &decision);
        prop_assert!(!decision.reason.trim().is_empty());
        prop_assert!(decision.next_check_at > case.now);
        let longest = case.policy.check_every.max(case.policy.check_settled_every).max(SignedDuration::from_secs(60));
        prop_assert!(decision.next_check_at <= case.now + longest);
        match (decision.action, decision.next_action_at) {
            (Action::Stop, at) => prop_assert!(at.is_some_and(|at| at <= case.now)),
            (_, at) => prop_assert!(at.is_none_or(|at| at > case.now)),
        }
        // What is shown as idle has a time; what is not judged idle shows none.
        prop_assert_eq!(decision.idle_since.is_some(), decision.next_action_at.is_some());
    }

    /// The whole rule once more, as a plain list of grounds.
    #[test]
    fn a_worker_is_stopped_exactly_when_every_ground_is_there(case in anything()) {
        let Case { worker, evidence, policy, now } = case.clone();
        let start = worker.running_since.unwrap_or(worker.updated_at).max(worker.created_at);
        let here = evidence.work.latest.map(|(at, _)| at);
        let uses = [evidence.activity.person_at, evidence.activity.nodes_ran_at, here];
        let last = uses.into_iter().flatten().fold(start, Timestamp::max);
        let grounds = [
            worker.status == WorkerStatus::Running,
            worker.desired == DesiredState::Running
                || (worker.desired == DesiredState::Stopped && !evidence.operation_under_way),
            policy.idle_shutdown && worker.idle_policy.enabled,
            evidence.read_at.is_some_and(|at| at >= start && now <= at + policy.reading_valid_for()),
            evidence.running_nodes == Some(0),
            evidence.work.under_way.is_none(),
            now >= start + policy.minimum_uptime,
            now >= last + timeout(&worker, &policy),
            evidence.read_at.is_some_and(|at| {
                let stop_at = (last + timeout(&worker, &policy)).max(start + policy.minimum_uptime);
                at >= oldest_reading(stop_at, &policy, now)
            }),
        ];
        let stop = case.decide().action == Action::Stop;
        prop_assert_eq!(stop, grounds.into_iter().all(|ground| ground), "{:?}", grounds);
    }

    #[test]
    fn what_is_idle_past_its_deadline_by_fresh_evidence_is_stopped(case in idle()) {
        prop_assert_eq!(case.decide().action, Action::Stop);
    }

    #[test]
    fn without_any_one_ground_it_is_not_stopped(case in idle(), nodes in 1_u32.., short in 0.0..1.0_f64) {
        let spoilt: [(&str, Spoil); 12] = [
            ("evidence missing", |c| c.evidence.read_at = None),
            ("evidence stale", |c| {
                c.evidence.read_at = Some(c.now - c.policy.reading_valid_for() - SignedDuration::from_millis(1));
            }),
            ("evidence older than the start", |c| {
                c.worker.running_since = c.evidence.read_at.map(|at| at + SignedDuration::from_millis(1));
            }),
            ("nodes unknown", |c| c.evidence.running_nodes = None),
            ("fleet switch off", |c| c.policy.idle_shutdown = false),
            ("worker switch off", |c| c.worker.idle_policy.enabled = false),
            ("not running", |c| c.worker.status = WorkerStatus::Stopping),
            ("being stopped already", |c| {
                c.worker.desired = DesiredState::Stopped;
                c.evidence.operation_under_way = true;
            }),
            ("read too long before", |c| {
                c.evidence.read_at = Some(c.now - c.policy.check_every - SignedDuration::from_secs(91));
            }),
            ("used just now", |c| c.evidence.activity.person_at = Some(c.now)),
            ("used through us just now", |c| c.evidence.work.latest = Some((c.now, "start_lab"))),
            ("being worked on", |c| c.evidence.work.under_way = Some("back_up_lab")),
        ];
        for (ground, spoil) in spoilt {
            let mut case = case.clone();
            spoil(&mut case);
            prop_assert_ne!(case.decide().action, Action::Stop, "{}", ground);
        }
        let mut used = case.clone();
        used.evidence.running_nodes = Some(nodes);
        prop_assert_ne!(used.decide().action, Action::Stop);

        let mut young = case.clone();
        let up = young.now.duration_since(at(0));
        young.policy.minimum_uptime = up + SignedDuration::from_secs(1);
        prop_assert_ne!(young.decide().action, Action::Stop);

        let mut recent = case;
        let ago = timeout(&recent.worker, &recent.policy).as_secs_f64() * short;
        recent.evidence.activity.nodes_ran_at = Some(recent.now - SignedDuration::from_secs_f64(ago));
        if ago + 1.0 < recent.now.duration_since(at(0)).as_secs_f64() {
            prop_assert_ne!(recent.decide().action, Action::Stop);
        }
    }

    #[test]
    fn what_is_announced_is_done_when_nothing_happens_until_then_and_not_a_second_before(case in anything()) {
        let decision = case.decide();
        if let (Action::Wait, Some(due)) = (decision.action, decision.next_action_at) {
            prop_assert_eq!(case.read_at(due).decide().action, Action::Stop);
            if decision.read_first {
                // It waits for nothing but the reading.
                return Ok(());
            }
            let before = case.read_at((due - SignedDuration::from_secs(1)).max(case.now)).decide();
            prop_assert_eq!((before.action, before.next_action_at), (Action::Wait, Some(due)));
        }
    }
}

/// Running since minute 0 and read at `minute`, when this many nodes ran.
fn seen(minute: i64, running_nodes: u32, activity: Activity) -> PowerDecision {
    let evidence =
        Evidence { read_at: Some(at(minute)), running_nodes: Some(running_nodes), activity, ..Evidence::default() };
    decide(&running(), &evidence, &PowerPolicy::default(), at(minute))
}

#[test]
fn labs_that_are_defined_but_stopped_do_not_keep_a_worker_up() {
    let decision = seen(60, 0, Activity::default());
    assert_eq!(decision.action, Action::Stop);
    assert_eq!(
        decision.reason,
        "No lab runs and nobody has used it since 2026-09-21 14:13 UTC (its start); the idle timeout is 60 minutes."
    );
}

#[test]
fn what_people_do_through_us_is_use() {
    let work = |work: Work| {
        let evidence = Evidence { read_at: Some(at(60)), running_nodes: Some(0), work, ..Evidence::default() };
        decide(&running(), &evidence, &PowerPolicy::default(), at(60))
    };
    let saving = work(Work { under_way: Some("back_up_lab"), ..Work::default() });
    assert_eq!((saving.action, saving.reason.as_str()), (Action::Wait, "In use: back_up_lab is under way."));
    let asked = work(Work { latest: Some((at(30), "import_lab")), ..Work::default() });
    assert_eq!((asked.action, asked.idle_since, asked.next_action_at), (Action::Wait, Some(at(30)), Some(at(90))));
    assert!(asked.reason.contains("(last import_lab here)"), "{}", asked.reason);
}

#[test]
fn a_long_unattended_run_is_in_use() {
    let decision = seen(10_000, 1, Activity { person_at: Some(at(1)), ..Activity::default() });
    assert_eq!((decision.action, decision.reason.as_str()), (Action::Wait, "In use: 1 node runs."));
    assert_eq!(seen(10_000, 12, Activity::default()).reason, "In use: 12 nodes run.");
}

#[test]
fn a_run_that_has_ended_leaves_its_owner_a_whole_timeout() {
    let ran = Activity::default().after(&[], None, Some(3), at(500));
    let decision = seen(559, 0, ran.clone());
    assert_eq!((decision.action, decision.next_action_at), (Action::Wait, Some(at(560))));
    assert_eq!(seen(560, 0, ran).action, Action::Stop);
}

#[test]
fn a_person_who_works_as_the_built_in_admin_keeps_it_up() {
    let event = TelemetryEvent {
        category: "user_activity".into(),
        at: at(90),
        user_id: Some("00000000-0000-4000-a000-000000000000".into()),
    };
    let activity = Activity::default().after(&[event], Some("the-poller"), Some(0), at(91));
    let decision = seen(149, 0, activity.clone());
    assert_eq!((decision.action, decision.idle_since), (Action::Wait, Some(at(90))));
    assert!(decision.reason.contains("(last user_activity)"), "{}", decision.reason);
    assert_eq!(seen(150, 0, activity).action, Action::Stop);
}

#[test]
fn what_was_started_a_moment_ago_is_not_stopped_for_having_been_idle_before() {
    let idle = seen(120, 0, Activity::default());
    assert_eq!(idle.action, Action::Stop);
    // It was stopped and started between two looks: to EC2 it "runs", as it did before.
    let mut restarted = instance(InstanceState::Running);
    restarted.launched_at = Some(at(119));
    let before = running();
    let worker = after(&before, observe_instance(&before, Seen::Present(&restarted), at(121)), at(121));
    let evidence = Evidence { read_at: Some(at(118)), running_nodes: Some(0), ..Evidence::default() };
    let policy = PowerPolicy::default();
    let decision = decide(&worker, &evidence, &policy, at(121));
    assert_eq!((decision.action, decision.next_action_at), (Action::Wait, None));
    let evidence = Evidence { read_at: Some(at(122)), ..evidence };
    let decision = decide(&worker, &evidence, &policy, at(122));
    assert_eq!((decision.action, decision.next_action_at), (Action::Wait, Some(at(179))));
}

#[test]
fn what_somebody_stopped_is_left_stopped() {
    let wish = Command::Want { desired: DesiredState::Stopped, reason: "Stopped by ada.".into() };
    let before = running();
    let wanted = after(&before, command(&before, &wish).unwrap(), at(1));
    let stopped = instance(InstanceState::Stopped);
    let worker = after(&wanted, observe_instance(&wanted, Seen::Present(&stopped), at(5)), at(5));
    let decision = decide(&worker, &Evidence::default(), &PowerPolicy::default(), at(500));
    assert_eq!(decision.action, Action::None);
    assert_eq!(decision.reason, "Nothing to stop: the worker is stopped. Stopped by ada.");
}

#[test]
fn an_import_is_not_stopped_for_what_was_before_anyone_here_knew_of_it() {
    let imported = Worker { created_at: at(1_000), ..running() };
    let evidence = Evidence { read_at: Some(at(1_001)), running_nodes: Some(0), ..Evidence::default() };
    let decision = decide(&imported, &evidence, &PowerPolicy::default(), at(1_001));
    assert_eq!((decision.action, decision.next_action_at), (Action::Wait, Some(at(1_060))));
}

#[test]
fn a_stop_is_judged_on_a_reading_from_the_deadline_and_asks_for_one_in_time() {
    let judged = |read_minute: i64, seconds_to_deadline: i64| {
        let evidence = Evidence { read_at: Some(at(read_minute)), running_nodes: Some(0), ..Evidence::default() };
        decide(&running(), &evidence, &PowerPolicy::default(), at(60) - SignedDuration::from_secs(seconds_to_deadline))
    };
    let early = judged(55, 200);
    assert_eq!((early.read_first, early.next_check_at), (false, at(59)));
    let asking = judged(55, 60);
    assert_eq!((asking.action, asking.read_first, asking.next_check_at), (Action::Wait, true, at(60)));
    let unread = judged(55, 0);
    assert_eq!((unread.action, unread.read_first, unread.next_check_at), (Action::Wait, true, at(61)));
    assert!(unread.reason.ends_with("CML is read once more before it is stopped."), "{}", unread.reason);
    assert_eq!(judged(59, 0).action, Action::Stop);
}

#[test]
fn what_runs_though_it_is_wanted_stopped_is_judged_like_any_other() {
    let by_hand = Worker { desired: DesiredState::Stopped, ..running() };
    let evidence = Evidence { read_at: Some(at(60)), running_nodes: Some(0), ..Evidence::default() };
    assert_eq!(decide(&by_hand, &evidence, &PowerPolicy::default(), at(60)).action, Action::Stop);
    let stopping = Evidence { operation_under_way: true, ..evidence };
    assert_eq!(decide(&by_hand, &stopping, &PowerPolicy::default(), at(60)).action, Action::None);
}

#[test]
fn a_stop_that_is_tried_again_is_neither_announced_nor_called_off() {
    let policy = PowerPolicy::default();
    let again = PowerDecision {
        action: Action::Wait,
        idle_since: None,
        next_action_at: Some(at(61)),
        ..seen(60, 0, Activity::default())
    };
    for told_of in [None, Some(at(0))] {
        let step = stop_notice(told_of, &again, &Evidence::default(), &policy, at(60));
        assert_eq!(step, NoticeStep::Leave, "{told_of:?}");
    }
    let under_way = Evidence { operation_under_way: true, running_nodes: Some(1), ..Evidence::default() };
    assert_eq!(stop_notice(Some(at(0)), &again, &under_way, &policy, at(60)), NoticeStep::Leave, "it is being stopped");
    let put_off = PowerDecision { next_action_at: Some(at(600)), ..again };
    let step = stop_notice(Some(at(0)), &put_off, &Evidence::default(), &policy, at(60));
    assert_eq!(step, NoticeStep::Withdraw);
}
