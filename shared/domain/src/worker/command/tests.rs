use super::*;
use crate::fixture::{after, at, draft, grouped, open_launch, worker};

fn want(desired: DesiredState) -> Command {
    Command::Want { desired, reason: "Asked by ada.".into() }
}

fn launch() -> Command {
    launch_of("ami-0123456789abcdef0")
}

fn launch_of(ami_id: &str) -> Command {
    let offer = Offer { instance_type: "m5zn.metal".into(), subnet_id: None };
    Command::IntendLaunch { ami_id: ami_id.into(), offer, fallback: None }
}

fn failed() -> Command {
    Command::LaunchFailed { detail: "VcpuLimitExceeded: too many".into() }
}

fn given(worker: &Worker, asked: &Command) -> Worker {
    after(worker, command(worker, asked).unwrap(), at(9))
}

fn workers() -> Vec<(String, Worker)> {
    let mut all = vec![
        ("never launched".to_owned(), draft()),
        ("launch open".to_owned(), open_launch(DesiredState::Running)),
        ("launch failed".to_owned(), given(&open_launch(DesiredState::Running), &failed())),
    ];
    all.extend(WorkerStatus::ALL.map(|status| (status.name().to_owned(), worker(status, DesiredState::Running))));
    let doomed = worker(WorkerStatus::Running, DesiredState::Terminated);
    all.push(("running but unwanted".to_owned(), doomed));
    all
}

#[test]
fn every_command_gives_events_or_a_refusal_in_every_state() {
    let update = Update { name: Some("new".into()), ..Update::default() };
    let commands = [
        ("start", want(DesiredState::Running)),
        ("stop", want(DesiredState::Stopped)),
        ("terminate", want(DesiredState::Terminated)),
        ("rename", Command::Update(update)),
        ("monitor", Command::SetMonitoring { enabled: true }),
        ("re-pin", Command::Repin),
        ("use credentials", Command::UseCredentials { cml_credentials_ref: Some("x".into()) }),
        ("intend a launch", launch()),
        ("give a launch up", failed()),
    ];
    let text: String = commands
        .iter()
        .map(|(name, asked)| {
            let outcomes = workers().into_iter().map(|(case, worker)| {
                let outcome = match command(&worker, asked) {
                    Ok(events) if events.is_empty() => "already so".into(),
                    Ok(events) => events.iter().map(WorkerEvent::kind).collect::<Vec<_>>().join(" + "),
                    Err(refusal) => format!("REFUSED: {refusal}"),
                };
                (case, outcome)
            });
            grouped(name, outcomes)
        })
        .collect();
    insta::assert_snapshot!(text, @"
    start
      never launched, launch open, launch failed, pending, stopping, stopped, terminated, failed -> worker.desired_changed
      provisioning, running, starting, unknown -> already so
      terminating, running but unwanted -> REFUSED: the worker is terminating; it cannot be started
    stop
      never launched, launch open, launch failed, pending, provisioning, running, stopping, stopped, starting, failed, unknown -> worker.desired_changed
      terminating, running but unwanted -> REFUSED: the worker is terminating; it cannot be stopped
      terminated -> REFUSED: the worker is terminated; it cannot be stopped
    terminate
      never launched, launch open, launch failed, pending, provisioning, running, stopping, stopped, starting, terminating, terminated, failed, unknown -> worker.desired_changed
      running but unwanted -> already so
    rename
      never launched, launch open, launch failed, pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown, running but unwanted -> worker.renamed
      terminated -> REFUSED: the worker is terminated; it cannot be changed
    monitor
      never launched, launch open, launch failed -> REFUSED: the worker has no instance yet; it cannot be monitored
      pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown, running but unwanted -> worker.monitoring_changed
      terminated -> REFUSED: the worker is terminated; it cannot be changed
    re-pin
      never launched, launch open, launch failed, pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown, running but unwanted -> already so
      terminated -> REFUSED: the worker is terminated; it cannot be changed
    use credentials
      never launched, launch open, launch failed, pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown, running but unwanted -> worker.credentials_set
      terminated -> REFUSED: the worker is terminated; it cannot be changed
    intend a launch
      never launched -> worker.launch_intended
      launch open, pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> already so
      launch failed, terminated, failed -> worker.launch_intended + worker.status_changed
      running but unwanted -> REFUSED: the worker is wanted terminated by now
    give a launch up
      never launched, launch open, failed -> worker.status_changed
      launch failed, pending, provisioning, running, stopping, stopped, starting, terminating, terminated, unknown, running but unwanted -> already so
    ");
}

#[test]
fn a_command_that_changes_nothing_gives_no_event() {
    let same = worker(WorkerStatus::Running, DesiredState::Running);
    let update = Update {
        name: Some(same.name.clone()),
        owner: Some(None),
        remove_tags: vec!["absent".into()],
        idle_enabled: Some(true),
        idle_timeout_minutes: Some(None),
        cml_endpoint: Some(None),
        cml_credentials_ref: Some(None),
        ..Update::default()
    };
    for asked in [want(DesiredState::Running), Command::Update(update), Command::SetMonitoring { enabled: false }] {
        assert_eq!(command(&same, &asked), Ok(vec![]), "{asked:?}");
    }
}

#[test]
fn a_partial_update_touches_its_own_fields_only() {
    let before = Worker {
        owner: Some("ada".into()),
        tags: BTreeMap::from([("team".into(), "net".into()), ("old".into(), "1".into())]),
        idle_policy: IdlePolicy { enabled: false, timeout_minutes: Some(30) },
        cml_endpoint: Some("https://cml.example".into()),
        cml_credentials_ref: Some("mine".into()),
        certificate_sha256: Some("ab".into()),
        ..worker(WorkerStatus::Running, DesiredState::Running)
    };
    let at_once = |worker: Worker| Worker { version: before.version + 1, updated_at: at(9), ..worker };
    let cases = [
        (
            Update { idle_enabled: Some(true), ..Update::default() },
            Worker { idle_policy: IdlePolicy { enabled: true, timeout_minutes: Some(30) }, ..before.clone() },
        ),
        (
            Update { idle_timeout_minutes: Some(None), ..Update::default() },
            Worker { idle_policy: IdlePolicy { enabled: false, timeout_minutes: None }, ..before.clone() },
        ),
        (Update { owner: Some(None), ..Update::default() }, Worker { owner: None, ..before.clone() }),
        (
            Update {
                set_tags: BTreeMap::from([("new".into(), "2".into())]),
                remove_tags: vec!["old".into()],
                ..Update::default()
            },
            Worker {
                tags: BTreeMap::from([("team".into(), "net".into()), ("new".into(), "2".into())]),
                ..before.clone()
            },
        ),
        // Another address is another machine: its certificate is recorded anew.
        (
            Update { cml_endpoint: Some(None), ..Update::default() },
            Worker { cml_endpoint: None, certificate_sha256: None, ..before.clone() },
        ),
    ];
    for (update, expected) in cases {
        assert_eq!(given(&before, &Command::Update(update)), at_once(expected));
    }
}

#[test]
fn what_is_wanted_stopped_before_its_launch_is_not_launched() {
    let stopped = given(&draft(), &want(DesiredState::Stopped));
    assert_eq!((stopped.desired, stopped.status), (DesiredState::Stopped, WorkerStatus::Pending));
    assert_eq!(command(&stopped, &launch()), Err(Refusal::Unwanted { desired: DesiredState::Stopped }));
    let wanted_again = given(&stopped, &want(DesiredState::Running));
    assert!(command(&wanted_again, &launch()).is_ok());
}

#[test]
fn a_launch_keeps_its_token_while_it_is_open_and_after_it_succeeded() {
    let first = given(&draft(), &launch());
    let token = first.client_token();
    assert_eq!(given(&first, &launch()), first);
    // Another delivery completed it meanwhile: the same token finds that instance, a new one would make a second.
    let attached = worker(WorkerStatus::Provisioning, DesiredState::Running);
    assert_eq!(given(&attached, &launch()).client_token(), token);
    assert!(token.is_ascii() && token.len() <= 64);
}

#[test]
fn after_a_definite_failure_the_next_launch_has_another_token_and_image() {
    let first = given(&draft(), &launch());
    let gave_up = given(&first, &failed());
    assert_eq!((gave_up.status, gave_up.client_token()), (WorkerStatus::Failed, first.client_token()));
    assert_eq!(gave_up.state_reason, "Could not be launched: VcpuLimitExceeded: too many");
    let second = given(&gave_up, &launch_of("ami-fedcba98765432100"));
    assert_ne!(second.client_token(), first.client_token());
    assert_eq!((second.status, second.status_detail.as_ref()), (WorkerStatus::Pending, None));
    assert_eq!(second.launch_ami_id.as_deref(), Some("ami-fedcba98765432100"));
}

#[test]
fn a_failure_that_is_reported_late_changes_neither_a_running_worker_nor_a_terminated_one() {
    for status in [WorkerStatus::Provisioning, WorkerStatus::Running, WorkerStatus::Terminated] {
        assert_eq!(command(&worker(status, DesiredState::Running), &failed()), Ok(vec![]), "{status:?}");
    }
    let gone = Worker { instance: None, ..worker(WorkerStatus::Terminated, DesiredState::Terminated) };
    assert_eq!(command(&gone, &failed()), Ok(vec![]));
}

#[test]
fn a_start_of_what_was_stopped_by_hand_is_the_reason_shown_from_then_on() {
    let by_hand = Worker {
        state_reason: "The instance was stopped outside CML Cloud Manager.".into(),
        ..worker(WorkerStatus::Stopped, DesiredState::Running)
    };
    let started = given(&by_hand, &want(DesiredState::Running));
    assert_eq!((started.desired, started.state_reason.as_str()), (DesiredState::Running, "Asked by ada."));
    // Asked twice is asked once.
    assert_eq!(command(&started, &want(DesiredState::Running)), Ok(vec![]));
}

#[test]
fn nothing_but_termination_is_accepted_once_termination_is_wanted() {
    let doomed = given(&worker(WorkerStatus::Running, DesiredState::Running), &want(DesiredState::Terminated));
    for desired in [DesiredState::Running, DesiredState::Stopped] {
        assert!(matches!(
            command(&doomed, &want(desired)),
            Err(Refusal::Gone { status: WorkerStatus::Terminating, .. })
        ));
    }
    assert_eq!(command(&doomed, &want(DesiredState::Terminated)), Ok(vec![]));
}

#[test]
fn what_is_gone_against_the_wish_is_judged_still_and_what_is_over_is_not() {
    assert_eq!(command(&worker(WorkerStatus::Terminated, DesiredState::Running), &Command::Judge), Ok(vec![]));
    assert!(command(&worker(WorkerStatus::Terminated, DesiredState::Terminated), &Command::Judge).is_err());
}
