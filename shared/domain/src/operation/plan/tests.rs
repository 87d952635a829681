use super::*;
use crate::drift::DriftKind;
use crate::fixture::{ada, after, at, draft, grouped, instance, lost, open_launch, worker};
use crate::id::OperationId;
use crate::worker::observe::{MISSING_AGAIN_AFTER, observe_instance};
use crate::worker::{Command, Departure, Wish, command::command};

/// What EC2 may show, and the worker that has already recorded it.
fn cases(desired: DesiredState) -> Vec<(&'static str, Worker, Option<InstanceObservation>)> {
    let present = InstanceState::ALL.map(|state| {
        let known = worker(WorkerStatus::Unknown, desired);
        let worker = after(&known, observe_instance(&known, Seen::Present(&instance(state)), at(1)), at(1));
        // Recorded as terminated or not, it is the answer that is judged.
        (state.name(), worker, Some(instance(state)))
    });
    let never = Worker { desired, ..draft() };
    let failed = |instance| Worker { instance, ..worker(WorkerStatus::Failed, desired) };
    let had = worker(WorkerStatus::Running, desired);
    let imported = Worker { launch_number: 0, launch_ami_id: None, imported: true, ..had.clone() };
    let wanted_back = worker(WorkerStatus::Terminated, desired);
    let departure = Some(Departure { kind: DriftKind::InstanceGone, at: at(1) });
    let gone = Worker { departure, ..wanted_back.clone() };
    let mut all = present.to_vec();
    all.extend([
        ("lost to its host", failed(had.instance.clone()), Some(lost())),
        ("lost and forgotten", failed(had.instance.clone()), None),
        ("launch failed", failed(None), None),
        ("launch open", open_launch(desired), None),
        ("never launched", never, None),
        ("absent", had, None),
        ("imported and absent", imported, None),
        ("absent twice", gone, None),
        ("absent twice, and wished for since", wanted_back, None),
    ]);
    all
}

fn words(step: Step) -> String {
    match step {
        Step::Act(call) => format!("call {call:?}"),
        Step::Wait(what) => format!("wait for {what}"),
        Step::Done(None) => "done".into(),
        Step::Done(Some(detail)) => format!("done: {detail}"),
        Step::Fail(code, message) => format!("fail {code}: {message}"),
    }
}

fn table(task: &Task, desired: DesiredState) -> String {
    let steps = cases(desired).into_iter().map(|(case, mut worker, seen)| {
        if let Task::SetMonitoring { enabled } = task {
            worker.spec.detailed_monitoring = *enabled;
        }
        let seen = seen.as_ref().map_or(Seen::Absent, Seen::Present);
        (case.to_owned(), words(next(task, &worker, seen)))
    });
    grouped(&format!("{} while wanted {}", task.kind(), desired.name()), steps)
}

#[test]
#[expect(clippy::too_many_lines, reason = "the table is the test")]
fn every_task_has_a_step_whatever_ec2_shows_and_whatever_is_wanted_by_now() {
    let mut text = String::new();
    for task in [Task::CreateWorker, Task::StartWorker, Task::StopWorker, Task::TerminateWorker] {
        for desired in DesiredState::ALL {
            text += &table(&task, desired);
        }
    }
    insta::assert_snapshot!(text, @"
    create_worker while wanted running
      pending -> wait for the instance to run
      running -> done
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      stopping -> wait for the instance to finish stopping before it can start
      stopped -> call Start
      unknown -> wait for EC2 to report a state this version knows
      lost to its host -> fail instance_terminated: Instance i-00000000000000001 was lost to its host: Internal error on launch
      lost and forgotten, launch failed, launch open, never launched, absent twice, and wished for since -> call Launch
      absent, imported and absent -> wait for EC2 to list the instance again
      absent twice -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    create_worker while wanted stopped
      pending, running, stopping, stopped, unknown, lost to its host, lost and forgotten, launch failed, launch open, absent, imported and absent, absent twice, absent twice, and wished for since -> fail superseded: The worker is wanted stopped by now. Created by ada.
      shutting-down, terminated -> fail superseded: The worker is wanted stopped by now. The instance was terminated outside CML Cloud Manager.
      never launched -> done: Recorded; it will be launched at its first start.
    create_worker while wanted terminated
      anything -> fail superseded: The worker is wanted terminated by now. Created by ada.
    start_worker while wanted running
      pending -> wait for the instance to run
      running -> done
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      stopping -> wait for the instance to finish stopping before it can start
      stopped -> call Start
      unknown -> wait for EC2 to report a state this version knows
      lost to its host, lost and forgotten, launch failed, launch open, never launched, absent twice, and wished for since -> call Launch
      absent, imported and absent -> wait for EC2 to list the instance again
      absent twice -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    start_worker while wanted stopped
      pending, running, stopping, stopped, unknown, lost to its host, lost and forgotten, launch failed, launch open, never launched, absent, imported and absent, absent twice, absent twice, and wished for since -> fail superseded: The worker is wanted stopped by now. Created by ada.
      shutting-down, terminated -> fail superseded: The worker is wanted stopped by now. The instance was terminated outside CML Cloud Manager.
    start_worker while wanted terminated
      anything -> fail superseded: The worker is wanted terminated by now. Created by ada.
    stop_worker while wanted running
      pending, running, unknown, lost to its host, lost and forgotten, launch failed, launch open, never launched, absent, imported and absent, absent twice, absent twice, and wished for since -> fail superseded: The worker is wanted running by now. Created by ada.
      shutting-down, terminated -> fail superseded: The worker is wanted running by now. The instance was terminated outside CML Cloud Manager.
      stopping, stopped -> fail superseded: The worker is wanted running by now. The instance was stopped outside CML Cloud Manager.
    stop_worker while wanted stopped
      pending -> wait for the instance to run before it can be stopped
      running -> call Stop
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      stopping -> wait for the instance to be stopped
      stopped -> done
      unknown -> wait for EC2 to report a state this version knows
      lost to its host, lost and forgotten, launch failed -> done: It has no instance that could run.
      launch open, absent, imported and absent -> wait for EC2 to list the instance again
      never launched -> done: It was never launched.
      absent twice, absent twice, and wished for since -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    stop_worker while wanted terminated
      pending -> wait for the instance to run before it can be stopped
      running -> call Stop
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      stopping -> wait for the instance to be stopped
      stopped -> done
      unknown -> wait for EC2 to report a state this version knows
      lost to its host, lost and forgotten, launch failed -> done: It has no instance that could run.
      launch open, absent, imported and absent -> wait for EC2 to list the instance again
      never launched -> done: It was never launched.
      absent twice, absent twice, and wished for since -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    terminate_worker while wanted running
      pending, running, unknown, lost to its host, lost and forgotten, launch failed, launch open, never launched, absent, imported and absent, absent twice, absent twice, and wished for since -> fail superseded: The worker is wanted running by now. Created by ada.
      shutting-down, terminated -> fail superseded: The worker is wanted running by now. The instance was terminated outside CML Cloud Manager.
      stopping, stopped -> fail superseded: The worker is wanted running by now. The instance was stopped outside CML Cloud Manager.
    terminate_worker while wanted stopped
      pending, running, stopping, stopped, unknown, lost to its host, lost and forgotten, launch failed, launch open, never launched, absent, imported and absent, absent twice, absent twice, and wished for since -> fail superseded: The worker is wanted stopped by now. Created by ada.
      shutting-down, terminated -> fail superseded: The worker is wanted stopped by now. The instance was terminated outside CML Cloud Manager.
    terminate_worker while wanted terminated
      pending, running, stopping, stopped, unknown -> call Terminate
      shutting-down -> wait for the instance to be terminated
      terminated, lost to its host, absent twice, absent twice, and wished for since -> done
      lost and forgotten, launch failed, launch open, absent, imported and absent -> wait for a second answer from EC2 that the instance is gone
      never launched -> done: It never had an instance.
    ");
}

#[test]
fn a_creation_is_done_where_no_launch_was_wished_and_superseded_where_the_wish_came_later() {
    let recorded = |number| Worker { desired: DesiredState::Stopped, wish: Wish::new(number, at(0)), ..draft() };
    let step = |number| next(&Task::CreateWorker, &recorded(number), Seen::Absent);
    assert!(matches!(step(1), Step::Done(Some(_))));
    assert!(matches!(step(2), Step::Fail("superseded", _)));
}

#[test]
fn an_older_wish_for_monitoring_does_not_undo_a_newer_one() {
    let worker = worker(WorkerStatus::Running, DesiredState::Running);
    assert!(!worker.spec.detailed_monitoring);
    let seen = instance(InstanceState::Running);
    let step = next(&Task::SetMonitoring { enabled: true }, &worker, Seen::Present(&seen));
    assert_eq!(step, Step::Fail("superseded", "Detailed monitoring is wanted off by now.".into()));
}

#[test]
fn monitoring_and_tags_are_done_once_ec2_shows_them() {
    let tasks = [
        Task::SetMonitoring { enabled: true },
        Task::SetMonitoring { enabled: false },
        Task::UpdateTags { remove: vec![] },
        Task::RefreshWorker,
    ];
    let text: String = tasks.iter().map(|task| table(task, DesiredState::Running)).collect();
    insta::assert_snapshot!(text, @"
    set_worker_monitoring while wanted running
      pending, running, stopping, stopped, unknown -> call SetMonitoring { enabled: true }
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      lost to its host -> fail instance_terminated: Instance i-00000000000000001 was lost to its host: Internal error on launch
      lost and forgotten, launch failed, launch open, never launched, absent, imported and absent -> wait for EC2 to list the instance
      absent twice, absent twice, and wished for since -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    set_worker_monitoring while wanted running
      pending, running, stopping, stopped, unknown -> done
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      lost to its host -> fail instance_terminated: Instance i-00000000000000001 was lost to its host: Internal error on launch
      lost and forgotten, launch failed, launch open, never launched, absent, imported and absent -> wait for EC2 to list the instance
      absent twice, absent twice, and wished for since -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    update_tags while wanted running
      pending, running, stopping, stopped, unknown -> done
      shutting-down, terminated -> fail instance_terminated: Instance i-00000000000000001 is terminated: EC2 gives no reason.
      lost to its host -> fail instance_terminated: Instance i-00000000000000001 was lost to its host: Internal error on launch
      lost and forgotten, launch failed, launch open, never launched, absent, imported and absent -> wait for EC2 to list the instance
      absent twice, absent twice, and wished for since -> fail instance_terminated: The instance is gone: EC2 gives no reason.
    refresh_worker while wanted running
      anything -> done
    ");
}

#[test]
fn tags_are_done_only_when_the_new_are_there_and_the_removed_are_not() {
    let mut wanted = worker(WorkerStatus::Running, DesiredState::Running);
    wanted.tags.insert("team".into(), "net".into());
    let task = Task::UpdateTags { remove: vec!["old".into(), "team".into()] };
    let mut seen = instance(InstanceState::Running);
    seen.tags.insert("old".into(), "1".into());
    assert_eq!(next(&task, &wanted, Seen::Present(&seen)), Step::Act(Call::UpdateTags));
    seen.tags.insert("team".into(), "net".into());
    assert_eq!(next(&task, &wanted, Seen::Present(&seen)), Step::Act(Call::UpdateTags));
    seen.tags.remove("old");
    // `team` was removed once and given again since: it stays.
    assert_eq!(next(&task, &wanted, Seen::Present(&seen)), Step::Done(None));
    seen.tags.insert("Name".into(), "renamed by hand".into());
    assert_eq!(next(&task, &wanted, Seen::Present(&seen)), Step::Act(Call::UpdateTags));
    seen.tags.insert("Name".into(), wanted.name.clone());
    seen.tags.remove("ccm:worker-id");
    assert_eq!(next(&task, &wanted, Seen::Present(&seen)), Step::Act(Call::UpdateTags));
}

/// One look of an operation: what was seen is recorded first, then judged.
fn look(worker: &mut Worker, seen: Option<&InstanceObservation>, second: i64) -> Step {
    let now = at(60) + jiff::SignedDuration::from_secs(second);
    let seen = seen.map_or(Seen::Absent, Seen::Present);
    *worker = after(worker, observe_instance(worker, seen, now), now);
    next(&Task::TerminateWorker, worker, seen)
}

fn doomed(mut worker: Worker) -> Worker {
    let wish = Command::Want { desired: DesiredState::Terminated, reason: "Deleted by ada.".into() };
    worker = after(&worker, command(&worker, &wish).unwrap(), at(60));
    assert_ne!(worker.status, WorkerStatus::Terminated);
    worker
}

#[test]
fn a_delete_ends_only_when_ec2_says_terminated() {
    let mut worker = doomed(worker(WorkerStatus::Running, DesiredState::Running));
    let shown = |state| Some(instance(state));
    assert_eq!(look(&mut worker, shown(InstanceState::Running).as_ref(), 0), Step::Act(Call::Terminate));
    // The call was accepted, and nothing came of it yet: asked again, not believed.
    assert_eq!(look(&mut worker, shown(InstanceState::Running).as_ref(), 20), Step::Act(Call::Terminate));
    assert!(matches!(look(&mut worker, shown(InstanceState::ShuttingDown).as_ref(), 40), Step::Wait(_)));
    assert_eq!(worker.status, WorkerStatus::Terminating);
    assert_eq!(look(&mut worker, shown(InstanceState::Terminated).as_ref(), 60), Step::Done(None));
    assert_eq!((worker.status, worker.state_reason.as_str()), (WorkerStatus::Terminated, "Deleted by ada."));
}

#[test]
fn a_delete_does_not_believe_the_first_empty_answer_not_even_for_an_imported_worker() {
    let launched = worker(WorkerStatus::Running, DesiredState::Running);
    let imported = Worker { launch_number: 0, launch_ami_id: None, imported: true, ..launched.clone() };
    let unseen = open_launch(DesiredState::Running);
    let again = MISSING_AGAIN_AFTER.as_secs();
    for start in [launched, imported, unseen] {
        let mut worker = doomed(start);
        assert!(matches!(look(&mut worker, None, 0), Step::Wait(_)));
        assert!(matches!(look(&mut worker, None, again - 1), Step::Wait(_)));
        assert_eq!(look(&mut worker, None, again), Step::Done(None));
        assert_eq!(worker.status, WorkerStatus::Terminated);
    }
}

#[test]
fn a_delete_of_what_was_never_launched_ends_at_once_and_leaves_nothing_pending() {
    let mut worker = doomed(draft());
    assert_eq!(look(&mut worker, None, 0), Step::Done(Some("It never had an instance.".into())));
    assert_eq!(worker.status, WorkerStatus::Terminated);
}

#[test]
fn only_what_ends_or_destroys_is_held_by_the_brakes() {
    let calls = [
        Call::Launch,
        Call::Start,
        Call::Stop,
        Call::Terminate,
        Call::SetMonitoring { enabled: true },
        Call::UpdateTags,
    ];
    let held: Vec<Call> = calls.into_iter().filter(|call| call.is_destructive()).collect();
    assert_eq!(held, [Call::Stop, Call::Terminate]);
}

#[test]
fn only_the_reconcilers_start_gives_way_to_a_stop_by_hand_and_only_to_one_that_came_after_it() {
    let stopped = worker(WorkerStatus::Stopped, DesiredState::Running);
    let by_hand = Some(Departure { kind: DriftKind::StoppedByHand, at: at(5) });
    let stopped = Worker { departure: by_hand, ..stopped };
    let seen = instance(InstanceState::Stopped);
    let step = |requested_by: Actor, minute| {
        let id = OperationId::new(at(minute), 1);
        let operation = Operation::new(id, Task::StartWorker, Some(stopped.id), requested_by, at(minute));
        next_of(&operation, &stopped, Seen::Present(&seen))
    };
    assert!(matches!(step(Actor::reconciler(), 4), Step::Fail("superseded", _)));
    assert_eq!(step(Actor::reconciler(), 6), Step::Act(Call::Start));
    assert_eq!(step(ada(), 4), Step::Act(Call::Start));
}
