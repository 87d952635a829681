use std::collections::BTreeMap;

use super::*;
use crate::fixture::{after, at, draft, grouped, instance, lost, open_launch, worker};
use crate::instance::{InstanceObservation, InstanceState};
use crate::operation::work::Work;
use crate::reconcile::Failure;
use crate::worker::observe::{Seen, observe_instance};
use crate::worker::{Command, WorkerEvent, command::command};

mod drifting;
mod properties;

const HOUR: i64 = 60;

fn judge(worker: &Worker, evidence: &Evidence, record: &ReconcileRecord, now: Timestamp) -> PowerDecision {
    let (power, reconcile) = (PowerPolicy::default(), ReconcilePolicy::workers());
    decide(worker, evidence, record, Policies { power: &power, reconcile: &reconcile }, now)
}

fn departed(worker: Worker, kind: DriftKind, minute: i64) -> Worker {
    Worker { departure: Some(Departure { kind, at: at(minute) }), ..worker }
}

fn failed(code: &str, minute: i64) -> Option<Failure> {
    Some(Failure { code: code.into(), message: "words of EC2".into(), at: at(minute) })
}

/// Every worker that may be met a while after minute 0, by name.
fn workers(desired: DesiredState) -> Vec<(String, Worker)> {
    let mut all: Vec<_> = WorkerStatus::ALL.map(|status| (status.name().to_owned(), worker(status, desired))).into();
    let of = |status| worker(status, desired);
    let cases = [
        ("never launched", Worker { desired, ..draft() }),
        ("launch open", open_launch(desired)),
        ("stopped by hand", departed(of(WorkerStatus::Stopped), DriftKind::StoppedByHand, 5)),
        ("stopping by hand", departed(of(WorkerStatus::Stopping), DriftKind::StoppedByHand, 5)),
        ("taken down by its host", departed(of(WorkerStatus::Stopped), DriftKind::HostFailure, 5)),
        ("lost to its host", departed(of(WorkerStatus::Failed), DriftKind::HostFailure, 5)),
        ("ended for what it was launched with", departed(of(WorkerStatus::Failed), DriftKind::LaunchFault, 5)),
        ("started by hand", departed(of(WorkerStatus::Running), DriftKind::StartedByHand, 5)),
        ("terminated by hand", departed(of(WorkerStatus::Terminated), DriftKind::TerminatedByHand, 5)),
        ("gone from EC2", departed(of(WorkerStatus::Terminated), DriftKind::InstanceGone, 5)),
    ];
    all.extend(cases.map(|(name, worker)| (name.to_owned(), worker)));
    all
}

fn outcome(decision: &PowerDecision) -> String {
    let next = decision.next_action.zip(decision.next_action_at);
    let next = next.map(|(action, at)| format!(" [then {} at {}]", action.name(), minute(at))).unwrap_or_default();
    format!("{}{next}: {}", decision.action.name(), decision.reason)
}

fn table(what: &str, desired: DesiredState, evidence: &Evidence, record: &ReconcileRecord, now: i64) -> String {
    let cases = workers(desired).into_iter().map(|(name, worker)| {
        let decision = judge(&worker, evidence, record, at(now));
        (name, outcome(&decision))
    });
    grouped(&format!("wanted {}, {what}", desired.name()), cases)
}

#[test]
#[expect(clippy::too_many_lines, reason = "the table is the test")]
fn every_wish_and_every_state_give_an_action_with_its_reason() {
    let fresh = ReconcileRecord::default();
    let idle = Evidence { read_at: Some(at(9)), running_nodes: Some(0), ..Evidence::default() };
    let under_way = Evidence { operation_under_way: true, ..idle.clone() };
    let text: String = DesiredState::ALL
        .map(|desired| {
            table("ten minutes later", desired, &idle, &fresh, 10)
                + &table("with an operation under way", desired, &under_way, &fresh, 10)
                + &table("thirteen hours later", desired, &Evidence::default(), &fresh, 13 * HOUR)
        })
        .concat();
    insta::assert_snapshot!(text, @"
    wanted running, ten minutes later
      pending, never launched, launch open -> launch: It is wanted running, and has no instance.
      provisioning, starting -> wait: It boots since 2026-09-21 14:13 UTC. Created by ada.
      running, started by hand -> wait [then stop at 2026-09-21 15:13 UTC]: No lab runs and nobody has used it since 2026-09-21 14:13 UTC (its start). It is stopped at 2026-09-21 15:13 UTC if that stays so.
      stopping, stopping by hand -> wait: It is stopping. Created by ada.
      stopped -> start: It is wanted running, and is stopped.
      terminating -> wait: It is terminating. Created by ada.
      terminated -> launch: It is wanted back, and has no instance.
      failed -> launch: It is wanted running, and its launch failed.
      unknown -> wait: EC2 reports a state that this version does not know; nothing is done about it.
      stopped by hand -> wait [then start at 2026-09-22 02:18 UTC]: It was stopped outside CML Cloud Manager at 2026-09-21 14:18 UTC, and is left so until 2026-09-22 02:18 UTC, or until somebody starts it.
      taken down by its host -> start: Its host took it down.
      lost to its host -> relaunch: It was lost to its host, and what was on it with it.
      ended for what it was launched with -> ask: EC2 ended the instance for what it was launched with. Mend that and start it again.
      terminated by hand -> ask: It was terminated outside CML Cloud Manager, with all that was on it, though it is wanted running. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
      gone from EC2 -> ask: EC2 has its instance no more, with all that was on it, though it is wanted running. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
    wanted running, with an operation under way
      pending, provisioning, stopping, stopped, starting, terminating, terminated, failed, unknown, never launched, launch open, stopped by hand, stopping by hand, taken down by its host, lost to its host, ended for what it was launched with, terminated by hand, gone from EC2 -> wait: An operation on it is under way. Created by ada.
      running, started by hand -> wait [then stop at 2026-09-21 15:13 UTC]: No lab runs and nobody has used it since 2026-09-21 14:13 UTC (its start). It is stopped at 2026-09-21 15:13 UTC if that stays so.
    wanted running, thirteen hours later
      pending, never launched, launch open -> launch: It is wanted running, and has no instance.
      provisioning -> investigate: It is provisioning since 2026-09-21 14:13 UTC. 20 minutes are enough as a rule: look at its console output.
      running, started by hand -> investigate: It runs since 2026-09-21 14:13 UTC, and CML could not be read since. 20 minutes are enough as a rule: look at its console output, whether CML can be reached, and whether its credentials fit.
      stopping, stopping by hand -> wait: It is stopping. Created by ada.
      stopped -> start: It is wanted running, and is stopped.
      starting -> investigate: It is starting since 2026-09-21 14:13 UTC. 20 minutes are enough as a rule: look at its console output.
      terminating -> wait: It is terminating. Created by ada.
      terminated -> launch: It is wanted back, and has no instance.
      failed -> launch: It is wanted running, and its launch failed.
      unknown -> wait: EC2 reports a state that this version does not know; nothing is done about it.
      stopped by hand -> start: It was stopped outside CML Cloud Manager at 2026-09-21 14:18 UTC, and was left so for 12 hours.
      taken down by its host -> start: Its host took it down.
      lost to its host -> relaunch: It was lost to its host, and what was on it with it.
      ended for what it was launched with -> ask: EC2 ended the instance for what it was launched with. Mend that and start it again.
      terminated by hand -> ask: It was terminated outside CML Cloud Manager, with all that was on it, though it is wanted running. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
      gone from EC2 -> ask: EC2 has its instance no more, with all that was on it, though it is wanted running. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
    wanted stopped, ten minutes later
      pending, launch open -> wait: EC2 is asked what came of its launch, which is not wanted any more.
      provisioning, starting -> wait: It boots since 2026-09-21 14:13 UTC. Created by ada.
      running -> stop: It is wanted stopped, and runs.
      stopping, stopping by hand -> wait: It is stopping. Created by ada.
      stopped, stopped by hand, taken down by its host -> none: Stopped, as wished. Created by ada.
      terminating -> wait: It is terminating. Created by ada.
      terminated, gone from EC2 -> ask: EC2 has its instance no more, with all that was on it, though it is wanted stopped. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
      failed, lost to its host, ended for what it was launched with -> none: It has no instance, and is launched when it is started. Created by ada.
      unknown -> wait: EC2 reports a state that this version does not know; nothing is done about it.
      never launched -> none: It was never launched, and is not wanted running.
      started by hand -> wait [then stop at 2026-09-21 15:13 UTC]: It was started outside CML Cloud Manager at 2026-09-21 14:18 UTC. No lab runs and nobody has used it since 2026-09-21 14:13 UTC (its start). It is stopped at 2026-09-21 15:13 UTC if that stays so.
      terminated by hand -> ask: It was terminated outside CML Cloud Manager, with all that was on it, though it is wanted stopped. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
    wanted stopped, with an operation under way
      pending, provisioning, running, stopping, starting, terminating, terminated, failed, unknown, never launched, launch open, stopping by hand, lost to its host, ended for what it was launched with, started by hand, terminated by hand, gone from EC2 -> wait: An operation on it is under way. Created by ada.
      stopped, stopped by hand, taken down by its host -> none: Stopped, as wished. Created by ada.
    wanted stopped, thirteen hours later
      pending, launch open -> wait: EC2 is asked what came of its launch, which is not wanted any more.
      provisioning -> investigate: It is provisioning since 2026-09-21 14:13 UTC. 20 minutes are enough as a rule: look at its console output.
      running -> stop: It is wanted stopped, and runs.
      stopping, stopping by hand -> wait: It is stopping. Created by ada.
      stopped, stopped by hand, taken down by its host -> none: Stopped, as wished. Created by ada.
      starting -> investigate: It is starting since 2026-09-21 14:13 UTC. 20 minutes are enough as a rule: look at its console output.
      terminating -> wait: It is terminating. Created by ada.
      terminated, gone from EC2 -> ask: EC2 has its instance no more, with all that was on it, though it is wanted stopped. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
      failed, lost to its host, ended for what it was launched with -> none: It has no instance, and is launched when it is started. Created by ada.
      unknown -> wait: EC2 reports a state that this version does not know; nothing is done about it.
      never launched -> none: It was never launched, and is not wanted running.
      started by hand -> wait: It was started outside CML Cloud Manager at 2026-09-21 14:18 UTC, and was left so for 12 hours. CML does not tell whether it is in use, so it is left until it does, or until somebody stops it.
      terminated by hand -> ask: It was terminated outside CML Cloud Manager, with all that was on it, though it is wanted stopped. It is not replaced by an empty one unasked: start it to launch a new one, or delete it.
    wanted terminated, ten minutes later
      pending, never launched, launch open -> terminate: It is wanted gone, and is pending.
      provisioning -> terminate: It is wanted gone, and is provisioning.
      running, started by hand -> terminate: It is wanted gone, and is running.
      stopping, stopping by hand -> terminate: It is wanted gone, and is stopping.
      stopped, stopped by hand, taken down by its host -> terminate: It is wanted gone, and is stopped.
      starting -> terminate: It is wanted gone, and is starting.
      terminating -> wait: It is terminating. Created by ada.
      terminated, terminated by hand, gone from EC2 -> forget: Gone, as wished. Created by ada.
      failed, lost to its host, ended for what it was launched with -> terminate: It is wanted gone, and is failed.
      unknown -> terminate: It is wanted gone, and is unknown.
    wanted terminated, with an operation under way
      pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown, never launched, launch open, stopped by hand, stopping by hand, taken down by its host, lost to its host, ended for what it was launched with, started by hand -> wait: An operation on it is under way. Created by ada.
      terminated, terminated by hand, gone from EC2 -> forget: Gone, as wished. Created by ada.
    wanted terminated, thirteen hours later
      pending, never launched, launch open -> terminate: It is wanted gone, and is pending.
      provisioning -> terminate: It is wanted gone, and is provisioning.
      running, started by hand -> terminate: It is wanted gone, and is running.
      stopping, stopping by hand -> terminate: It is wanted gone, and is stopping.
      stopped, stopped by hand, taken down by its host -> terminate: It is wanted gone, and is stopped.
      starting -> terminate: It is wanted gone, and is starting.
      terminating -> wait: It is terminating. Created by ada.
      terminated, terminated by hand, gone from EC2 -> forget: Gone, as wished. Created by ada.
      failed, lost to its host, ended for what it was launched with -> terminate: It is wanted gone, and is failed.
      unknown -> terminate: It is wanted gone, and is unknown.
    ");
}

#[test]
fn what_was_tried_holds_the_next_attempt_back_or_ends_them() {
    let evidence = Evidence::default();
    let tried = |attempts, last_failure: Option<Failure>| ReconcileRecord {
        attempts,
        last_failure,
        ..ReconcileRecord::default().acted(Action::Start, None, at(2))
    };
    let records = [
        ("acted eight minutes ago", tried(1, None)),
        ("failed once", tried(1, failed("deadline_exceeded", 8))),
        ("failed three times", tried(3, failed("InsufficientInstanceCapacity", 9))),
        ("failed too often", tried(8, failed("InsufficientInstanceCapacity", 9))),
        ("refused for good", tried(1, failed("UnauthorizedOperation", 9))),
    ];
    let states = [
        (WorkerStatus::Stopped, DesiredState::Running),
        (WorkerStatus::Failed, DesiredState::Running),
        (WorkerStatus::Running, DesiredState::Stopped),
        (WorkerStatus::Running, DesiredState::Terminated),
    ];
    let text: String = states
        .map(|(status, desired)| {
            let worker = worker(status, desired);
            let cases = records
                .iter()
                .map(|(name, record)| ((*name).to_owned(), outcome(&judge(&worker, &evidence, record, at(10)))));
            grouped(&format!("{} while wanted {}", status.name(), desired.name()), cases)
        })
        .concat();
    insta::assert_snapshot!(text, @"
    stopped while wanted running
      acted eight minutes ago -> wait [then start at 2026-09-21 14:35 UTC]: It is wanted running, and is stopped. That was seen to already; its effect is awaited until 2026-09-21 14:35 UTC.
      failed once -> start: It is wanted running, and is stopped.
      failed three times -> wait [then start at 2026-09-21 14:24 UTC]: It is wanted running, and is stopped. The last attempt failed: InsufficientInstanceCapacity: words of EC2. The next attempt is at 2026-09-21 14:24 UTC.
      failed too often -> give_up: It is wanted running, and is stopped. 8 attempts failed. The last one: InsufficientInstanceCapacity: words of EC2. Ask for it again to begin anew.
      refused for good -> give_up: It is wanted running, and is stopped. The next attempt would fail as the last one did (UnauthorizedOperation: words of EC2). Mend that and ask for it again.
    failed while wanted running
      acted eight minutes ago -> wait [then launch at 2026-09-21 14:35 UTC]: It is wanted running, and its launch failed. That was seen to already; its effect is awaited until 2026-09-21 14:35 UTC.
      failed once -> launch: It is wanted running, and its launch failed.
      failed three times -> wait [then launch at 2026-09-21 14:24 UTC]: It is wanted running, and its launch failed. The last attempt failed: InsufficientInstanceCapacity: words of EC2. The next attempt is at 2026-09-21 14:24 UTC.
      failed too often -> give_up: It is wanted running, and its launch failed. 8 attempts failed. The last one: InsufficientInstanceCapacity: words of EC2. Ask for it again to begin anew.
      refused for good -> give_up: It is wanted running, and its launch failed. The next attempt would fail as the last one did (UnauthorizedOperation: words of EC2). Mend that and ask for it again.
    running while wanted stopped
      acted eight minutes ago -> wait [then stop at 2026-09-21 14:35 UTC]: It is wanted stopped, and runs. That was seen to already; its effect is awaited until 2026-09-21 14:35 UTC.
      failed once -> stop: It is wanted stopped, and runs.
      failed three times -> wait [then stop at 2026-09-21 14:24 UTC]: It is wanted stopped, and runs. The last attempt failed: InsufficientInstanceCapacity: words of EC2. The next attempt is at 2026-09-21 14:24 UTC.
      failed too often -> give_up: It is wanted stopped, and runs. 8 attempts failed. The last one: InsufficientInstanceCapacity: words of EC2. Ask for it again to begin anew.
      refused for good -> give_up: It is wanted stopped, and runs. The next attempt would fail as the last one did (UnauthorizedOperation: words of EC2). Mend that and ask for it again.
    running while wanted terminated
      acted eight minutes ago -> wait [then terminate at 2026-09-21 14:35 UTC]: It is wanted gone, and is running. That was seen to already; its effect is awaited until 2026-09-21 14:35 UTC.
      failed once -> terminate: It is wanted gone, and is running.
      failed three times -> wait [then terminate at 2026-09-21 14:24 UTC]: It is wanted gone, and is running. The last attempt failed: InsufficientInstanceCapacity: words of EC2. The next attempt is at 2026-09-21 14:24 UTC.
      failed too often -> wait [then terminate at 2026-09-21 14:52 UTC]: It is wanted gone, and is running. The last attempt failed: InsufficientInstanceCapacity: words of EC2. The next attempt is at 2026-09-21 14:52 UTC.
      refused for good -> wait [then terminate at 2026-09-21 14:52 UTC]: It is wanted gone, and is running. The last attempt failed: UnauthorizedOperation: words of EC2. The next attempt is at 2026-09-21 14:52 UTC.
    ");
}

#[test]
fn a_loss_is_answered_once_and_a_second_one_anew() {
    let running = worker(WorkerStatus::Running, DesiredState::Running);
    let first = after(&running, observe_instance(&running, Seen::Present(&lost()), at(30)), at(30));
    let decision = judge(&first, &Evidence::default(), &ReconcileRecord::default(), at(30));
    assert_eq!(decision.action, Action::Relaunch);
    assert!(decision.reason.contains("lost to its host") && decision.reason.contains("Internal error"));
    let record = ReconcileRecord::default().acted(Action::Relaunch, None, at(30));
    assert_eq!(judge(&first, &Evidence::default(), &record, at(31)).action, Action::Wait);
    let second = departed(first, DriftKind::HostFailure, 40);
    assert_eq!(judge(&second, &Evidence::default(), &record, at(40)).action, Action::Relaunch);
}

#[test]
fn a_stop_that_may_come_of_the_wish_before_is_nobodys_hand() {
    let running = worker(WorkerStatus::Running, DesiredState::Running);
    let want = |desired| Command::Want { desired, reason: "Asked by ada.".into() };
    let stopped = after(&running, command(&running, &want(DesiredState::Stopped)).unwrap(), at(1));
    let started = after(&stopped, command(&stopped, &want(DesiredState::Running)).unwrap(), at(2));
    let seen = instance(InstanceState::Stopping);
    let ours = after(&started, observe_instance(&started, Seen::Present(&seen), at(3)), at(3));
    assert_eq!((ours.status, ours.departure), (WorkerStatus::Stopping, None));
    let stopped = instance(InstanceState::Stopped);
    let ours = after(&ours, observe_instance(&ours, Seen::Present(&stopped), at(5)), at(5));
    assert_eq!(judge(&ours, &Evidence::default(), &ReconcileRecord::default(), at(5)).action, Action::Start);
    // Long after, or without such a wish, it is.
    for (worker, minute) in [(&started, 30), (&running, 3)] {
        let later = after(worker, observe_instance(worker, Seen::Present(&seen), at(minute)), at(minute));
        assert_eq!(later.departure.map(|departure| departure.kind), Some(DriftKind::StoppedByHand));
    }
}

#[test]
fn a_worker_in_use_is_not_stopped_when_the_hold_of_a_start_by_hand_is_over() {
    let by_hand = departed(worker(WorkerStatus::Running, DesiredState::Stopped), DriftKind::StartedByHand, 0);
    let judged = |nodes, read_at: i64, hour: i64| {
        let evidence = Evidence { read_at: Some(at(read_at)), running_nodes: Some(nodes), ..Evidence::default() };
        judge(&by_hand, &evidence, &ReconcileRecord::default(), at(hour * HOUR)).action
    };
    assert_eq!(judged(2, 13 * HOUR - 1, 13), Action::Wait);
    assert_eq!(judged(0, 13 * HOUR - 1, 13), Action::Stop);
    // What was read long ago says nothing, and unknown is never idle.
    assert_eq!(judged(2, 12 * HOUR, 13), Action::Wait);
    assert_eq!(judged(0, 12 * HOUR, 13), Action::Wait);
    let unknown = judge(&by_hand, &Evidence::default(), &ReconcileRecord::default(), at(13 * HOUR));
    assert_eq!(unknown.action, Action::Wait);
    assert!(unknown.reason.contains("CML does not tell whether it is in use"), "{}", unknown.reason);
    // Nor does what was read of the run before.
    let again = Worker { running_since: Some(at(13 * HOUR - 5)), ..by_hand.clone() };
    let before = Evidence { read_at: Some(at(13 * HOUR - 6)), running_nodes: Some(0), ..Evidence::default() };
    assert_eq!(judge(&again, &before, &ReconcileRecord::default(), at(13 * HOUR)).action, Action::Wait);
    let work = Work { under_way: Some("back_up_lab"), ..Work::default() };
    let saving = Evidence { work, ..Evidence::default() };
    let decision = judge(&by_hand, &saving, &ReconcileRecord::default(), at(13 * HOUR));
    assert_eq!(decision.action, Action::Wait);
    assert!(decision.reason.ends_with("is in use: back_up_lab is under way."), "{}", decision.reason);
}

#[test]
fn what_was_missed_once_is_looked_at_again_as_soon_as_a_second_miss_counts() {
    for (name, worker) in DesiredState::ALL.into_iter().flat_map(workers) {
        let missed = Worker { missing_since: Some(at(9)), ..worker };
        let next = judge(&missed, &Evidence::default(), &ReconcileRecord::default(), at(10)).next_check_at;
        assert!(next <= at(9) + MISSING_AGAIN_AFTER, "{name}: {next}");
        let late = judge(&missed, &Evidence::default(), &ReconcileRecord::default(), at(60)).next_check_at;
        assert!(late > at(60), "{name}: {late}");
    }
}

#[test]
fn of_what_was_started_by_hand_one_time_is_told_the_one_that_comes_first() {
    let by_hand = departed(worker(WorkerStatus::Running, DesiredState::Stopped), DriftKind::StartedByHand, 0);
    let judged = |minute: i64, nodes| {
        let by_hand = Worker { running_since: Some(at(0)), ..by_hand.clone() };
        let evidence = Evidence { read_at: Some(at(minute)), running_nodes: Some(nodes), ..Evidence::default() };
        let evidence = Evidence {
            activity: crate::activity::Activity { person_at: Some(at(minute)), ..evidence.activity },
            ..evidence
        };
        judge(&by_hand, &evidence, &ReconcileRecord::default(), at(minute))
    };
    let (hold_over, idle) = (at(12 * HOUR), at(70));
    let first = judged(10, 0);
    assert_eq!(first.next_action_at, Some(idle));
    assert!(first.reason.contains(&minute(idle)) && !first.reason.contains(&minute(hold_over)), "{}", first.reason);
    for late in [judged(12 * HOUR - 10, 0), judged(10, 1)] {
        assert_eq!(late.next_action_at, Some(hold_over));
        assert!(late.reason.contains(&format!("is left so until {}", minute(hold_over))), "{}", late.reason);
        assert_eq!(late.reason.matches(" UTC").count(), 2, "{}", late.reason);
    }
}

#[test]
fn what_has_no_instance_has_no_licence() {
    let licensed = |worker: &Worker| conditions(worker, &Evidence::default(), Some(true), &[])[3];
    assert_eq!(licensed(&worker(WorkerStatus::Running, DesiredState::Running)), (ConditionKind::Licensed, Some(true)));
    let gone = Worker { instance: None, ..worker(WorkerStatus::Terminated, DesiredState::Running) };
    assert_eq!(licensed(&gone), (ConditionKind::Licensed, Some(false)));
}
