use super::*;
use crate::fixture::{after, at, draft, grouped, instance, instance_id, lost, open_launch, worker};
use crate::metrics::ServiceStatus;
use crate::worker::{CmlAddress, Departure, Offer, Wish};

fn by_hand(state: InstanceState) -> InstanceObservation {
    InstanceObservation {
        state_reason_code: Some("Client.UserInitiatedShutdown".into()),
        state_reason_message: Some("User initiated".into()),
        ..instance(state)
    }
}

/// The new status and the reason given to people, or that nothing was recorded.
fn outcome(worker: &Worker, seen: Seen<'_>) -> String {
    let next = after(worker, observe_instance(worker, seen, at(90)), at(90));
    let reason =
        if next.state_reason == worker.state_reason { String::new() } else { format!(" \"{}\"", next.state_reason) };
    match (next.status == worker.status, next.version == worker.version) {
        (true, true) => "(nothing new)".into(),
        (true, false) => format!("(same){reason}"),
        (false, _) => format!("{}{reason}", next.status.name()),
    }
}

fn table(what: &str, desired: DesiredState, seen: Seen<'_>, missing_since: Option<Timestamp>) -> String {
    let cases = WorkerStatus::ALL.map(|status| {
        let worker = Worker { missing_since, ..worker(status, desired) };
        (status.name().to_owned(), outcome(&worker, seen))
    });
    grouped(&format!("wanted {}, EC2 shows {what}", desired.name()), cases)
}

#[test]
#[expect(clippy::too_many_lines, reason = "the table is the test")]
fn every_answer_of_ec2_gives_a_status_and_a_reason_where_the_wish_gives_none() {
    let mut text = String::new();
    for desired in DesiredState::ALL {
        for state in InstanceState::ALL {
            text += &table(state.name(), desired, Seen::Present(&instance(state)), None);
        }
        text += &table("terminated, lost to its host", desired, Seen::Present(&lost()), None);
        let stopped = by_hand(InstanceState::Stopped);
        text += &table("stopped, with a reason", desired, Seen::Present(&stopped), None);
        text += &table("nothing, once", desired, Seen::Absent, None);
        text += &table("nothing, twice", desired, Seen::Absent, Some(at(84)));
    }
    insta::assert_snapshot!(text, @r#"
    wanted running, EC2 shows pending
      pending -> provisioning
      provisioning, starting, terminated -> (nothing new)
      running, stopping, stopped, terminating, failed, unknown -> starting
    wanted running, EC2 shows running
      pending, provisioning, stopping, stopped, starting, terminating, failed, unknown -> running
      running, terminated -> (nothing new)
    wanted running, EC2 shows shutting-down
      pending, provisioning, running, stopping, stopped, starting, failed, unknown -> terminating "The instance was terminated outside CML Cloud Manager."
      terminating, terminated -> (nothing new)
    wanted running, EC2 shows terminated
      pending, provisioning, running, stopping, stopped, starting, failed, unknown -> terminated "The instance was terminated outside CML Cloud Manager."
      terminating -> terminated
      terminated -> (nothing new)
    wanted running, EC2 shows stopping
      pending, provisioning, running, stopped, starting, terminating, failed, unknown -> stopping "The instance was stopped outside CML Cloud Manager."
      stopping, terminated -> (nothing new)
    wanted running, EC2 shows stopped
      pending, provisioning, running, starting, terminating, failed, unknown -> stopped "The instance was stopped outside CML Cloud Manager."
      stopping -> stopped
      stopped, terminated -> (nothing new)
    wanted running, EC2 shows unknown
      pending, provisioning, running, stopping, stopped, starting, terminating, failed -> unknown
      terminated, unknown -> (nothing new)
    wanted running, EC2 shows terminated, lost to its host
      pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> failed "The instance was lost to its host, not by anyone's wish. EC2 says: Internal error on launch"
      terminated -> (nothing new)
      failed -> (same)
    wanted running, EC2 shows stopped, with a reason
      pending, provisioning, running, starting, terminating, failed, unknown -> stopped "The instance was stopped outside CML Cloud Manager. EC2 says: User initiated"
      stopping -> stopped
      stopped -> (same)
      terminated -> (nothing new)
    wanted running, EC2 shows nothing, once
      pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> (same)
      terminated, failed -> (nothing new)
    wanted running, EC2 shows nothing, twice
      pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> terminated "The instance is gone from EC2, though nobody here asked for it. It was not replaced."
      terminated, failed -> (nothing new)
    wanted stopped, EC2 shows pending
      pending -> provisioning
      provisioning, starting, terminated -> (nothing new)
      running, terminating, failed, unknown -> starting
      stopping, stopped -> starting "The instance was started outside CML Cloud Manager."
    wanted stopped, EC2 shows running
      pending, provisioning, starting, terminating, failed, unknown -> running
      running, terminated -> (nothing new)
      stopping, stopped -> running "The instance was started outside CML Cloud Manager."
    wanted stopped, EC2 shows shutting-down
      pending, provisioning, running, stopping, stopped, starting, failed, unknown -> terminating "The instance was terminated outside CML Cloud Manager."
      terminating, terminated -> (nothing new)
    wanted stopped, EC2 shows terminated
      pending, provisioning, running, stopping, stopped, starting, failed, unknown -> terminated "The instance was terminated outside CML Cloud Manager."
      terminating -> terminated
      terminated -> (nothing new)
    wanted stopped, EC2 shows stopping
      pending, provisioning, running, stopped, starting, terminating, failed, unknown -> stopping
      stopping, terminated -> (nothing new)
    wanted stopped, EC2 shows stopped
      pending, provisioning, running, stopping, starting, terminating, failed, unknown -> stopped
      stopped, terminated -> (nothing new)
    wanted stopped, EC2 shows unknown
      pending, provisioning, running, stopping, stopped, starting, terminating, failed -> unknown
      terminated, unknown -> (nothing new)
    wanted stopped, EC2 shows terminated, lost to its host
      pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> failed "The instance was lost to its host, not by anyone's wish. EC2 says: Internal error on launch"
      terminated -> (nothing new)
      failed -> (same)
    wanted stopped, EC2 shows stopped, with a reason
      pending, provisioning, running, stopping, starting, terminating, failed, unknown -> stopped
      stopped -> (same)
      terminated -> (nothing new)
    wanted stopped, EC2 shows nothing, once
      pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> (same)
      terminated, failed -> (nothing new)
    wanted stopped, EC2 shows nothing, twice
      pending, provisioning, running, stopping, stopped, starting, terminating, unknown -> terminated "The instance is gone from EC2, though nobody here asked for it. It was not replaced."
      terminated, failed -> (nothing new)
    wanted terminated, EC2 shows pending
      pending -> provisioning
      provisioning, starting, terminated -> (nothing new)
      running, stopping, stopped, terminating, failed, unknown -> starting
    wanted terminated, EC2 shows running
      pending, provisioning, stopping, stopped, starting, terminating, failed, unknown -> running
      running, terminated -> (nothing new)
    wanted terminated, EC2 shows shutting-down
      pending, provisioning, running, stopping, stopped, starting, failed, unknown -> terminating
      terminating, terminated -> (nothing new)
    wanted terminated, EC2 shows terminated
      pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown -> terminated
      terminated -> (nothing new)
    wanted terminated, EC2 shows stopping
      pending, provisioning, running, stopped, starting, terminating, failed, unknown -> stopping
      stopping, terminated -> (nothing new)
    wanted terminated, EC2 shows stopped
      pending, provisioning, running, stopping, starting, terminating, failed, unknown -> stopped
      stopped, terminated -> (nothing new)
    wanted terminated, EC2 shows unknown
      pending, provisioning, running, stopping, stopped, starting, terminating, failed -> unknown
      terminated, unknown -> (nothing new)
    wanted terminated, EC2 shows terminated, lost to its host
      pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown -> terminated
      terminated -> (nothing new)
    wanted terminated, EC2 shows stopped, with a reason
      pending, provisioning, running, stopping, starting, terminating, failed, unknown -> stopped
      stopped -> (same)
      terminated -> (nothing new)
    wanted terminated, EC2 shows nothing, once
      pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown -> (same)
      terminated -> (nothing new)
    wanted terminated, EC2 shows nothing, twice
      pending, provisioning, running, stopping, stopped, starting, terminating, failed, unknown -> terminated
      terminated -> (nothing new)
    "#);
}

#[test]
fn a_scan_that_sees_stopped_does_not_cancel_a_start() {
    let starting = worker(WorkerStatus::Stopped, DesiredState::Running);
    for state in InstanceState::ALL {
        let next = after(&starting, observe_instance(&starting, Seen::Present(&instance(state)), at(1)), at(1));
        assert_eq!(next.desired, DesiredState::Running, "{state:?}");
    }
    assert!(observe_instance(&starting, Seen::Present(&instance(InstanceState::Stopped)), at(1)).is_empty());
}

#[test]
fn a_stop_asked_for_while_it_boots_is_not_taken_for_a_start_by_somebody_else() {
    let booting =
        Worker { state_reason: "Stopped by ada.".into(), ..worker(WorkerStatus::Provisioning, DesiredState::Stopped) };
    let up =
        after(&booting, observe_instance(&booting, Seen::Present(&instance(InstanceState::Running)), at(1)), at(1));
    assert_eq!((up.status, up.state_reason.as_str()), (WorkerStatus::Running, "Stopped by ada."));
}

#[test]
fn a_state_nobody_knows_is_shown_as_such_and_forgotten_with_the_next_known_one() {
    let known = worker(WorkerStatus::Running, DesiredState::Running);
    let odd = instance(InstanceState::from_name("hibernating"));
    let unknown = after(&known, observe_instance(&known, Seen::Present(&odd), at(1)), at(1));
    assert_eq!((unknown.status, unknown.state_reason.as_str()), (WorkerStatus::Unknown, "Created by ada."));
    let seen = instance(InstanceState::Running);
    let again = after(&unknown, observe_instance(&unknown, Seen::Present(&seen), at(2)), at(2));
    assert_eq!((again.status, again.running_since), (WorkerStatus::Running, Some(at(0))));
}

#[test]
fn absent_once_is_remembered_and_taken_back_when_it_is_listed_again() {
    let known = worker(WorkerStatus::Running, DesiredState::Running);
    let missing = after(&known, observe_instance(&known, Seen::Absent, at(1)), at(1));
    assert_eq!((missing.status, missing.missing_since), (WorkerStatus::Running, Some(at(1))));
    let listed = instance(InstanceState::Running);
    let back = after(&missing, observe_instance(&missing, Seen::Present(&listed), at(2)), at(2));
    assert_eq!((back.status, back.missing_since), (WorkerStatus::Running, None));
    // The count starts anew: an hour later, once is once again.
    let once = after(&back, observe_instance(&back, Seen::Absent, at(62)), at(62));
    assert_eq!(once.status, WorkerStatus::Running);
}

#[test]
fn absent_twice_counts_only_five_minutes_apart() {
    let known = worker(WorkerStatus::Running, DesiredState::Running);
    let missing = after(&known, observe_instance(&known, Seen::Absent, at(1)), at(1));
    let early = at(1) + MISSING_AGAIN_AFTER - SignedDuration::from_millis(1);
    assert!(observe_instance(&missing, Seen::Absent, early).is_empty());
    let late = at(1) + MISSING_AGAIN_AFTER;
    let gone = after(&missing, observe_instance(&missing, Seen::Absent, late), late);
    assert_eq!((gone.status, gone.desired), (WorkerStatus::Terminated, DesiredState::Running));
    assert!(gone.state_reason.contains("nobody here asked for it"), "{}", gone.state_reason);
}

#[test]
fn two_misses_with_no_look_between_them_are_two_first_ones() {
    let known = worker(WorkerStatus::Running, DesiredState::Running);
    let missing = after(&known, observe_instance(&known, Seen::Absent, at(1)), at(1));
    let last = at(1) + MISSING_AGAIN_WITHIN;
    let second = after(&missing, observe_instance(&missing, Seen::Absent, last), last);
    assert_eq!(second.status, WorkerStatus::Terminated);
    let late = last + SignedDuration::from_millis(1);
    let anew = after(&missing, observe_instance(&missing, Seen::Absent, late), late);
    assert_eq!((anew.status, anew.missing_since), (WorkerStatus::Running, Some(late)));
    // And from then on it is counted.
    let again = late + MISSING_AGAIN_AFTER;
    let gone = after(&anew, observe_instance(&anew, Seen::Absent, again), again);
    assert_eq!(gone.status, WorkerStatus::Terminated);
}

#[test]
fn a_stop_by_its_host_is_told_as_that_while_an_overtaken_wish_may_still_take_effect() {
    let overtook = Wish { overtook: Some(DesiredState::Stopped), ..Wish::new(3, at(0)) };
    let known = Worker { wish: overtook, ..worker(WorkerStatus::Running, DesiredState::Running) };
    for state in [InstanceState::Stopping, InstanceState::Stopped] {
        let kind = |seen: &InstanceObservation| {
            after(&known, observe_instance(&known, Seen::Present(seen), at(2)), at(2)).departure.map(|one| one.kind)
        };
        assert_eq!(kind(&InstanceObservation { state, ..lost() }), Some(DriftKind::HostFailure), "{state:?}");
        assert_eq!(kind(&by_hand(state)), None, "{state:?}: a call for the wish before may have done it");
    }
}

#[test]
fn an_open_launch_that_ec2_does_not_list_yet_is_not_missing() {
    assert!(observe_instance(&open_launch(DesiredState::Running), Seen::Absent, at(1)).is_empty());
    for desired in [DesiredState::Running, DesiredState::Stopped] {
        assert!(observe_instance(&Worker { desired, ..draft() }, Seen::Absent, at(1)).is_empty());
    }
}

#[test]
fn an_open_launch_that_is_wanted_stopped_is_given_up_after_two_empty_answers() {
    let open = open_launch(DesiredState::Stopped);
    let once = after(&open, observe_instance(&open, Seen::Absent, at(1)), at(1));
    assert!(observe_instance(&once, Seen::Absent, at(1)).is_empty());
    let twice = after(&once, observe_instance(&once, Seen::Absent, at(7)), at(7));
    assert_eq!(twice.status, WorkerStatus::Failed);
}

#[test]
fn a_launch_that_ec2_refused_is_over_at_the_first_look_when_it_is_not_wanted_any_more() {
    let refused = |desired| Worker { launch_refused: true, ..open_launch(desired) };
    assert!(observe_instance(&refused(DesiredState::Running), Seen::Absent, at(1)).is_empty());
    for (desired, status, detail) in [
        (DesiredState::Stopped, WorkerStatus::Failed, "The launch was given up: EC2 refused it."),
        (DesiredState::Terminated, WorkerStatus::Terminated, "EC2 refused its launch."),
    ] {
        let open = refused(desired);
        let over = after(&open, observe_instance(&open, Seen::Absent, at(1)), at(1));
        assert_eq!((over.status, over.status_detail.as_deref()), (status, Some(detail)));
    }
}

#[test]
fn a_start_of_what_is_wanted_running_is_never_said_to_come_from_outside() {
    let running = worker(WorkerStatus::Running, DesiredState::Running);
    for stop in [by_hand(InstanceState::Stopped), InstanceObservation { state: InstanceState::Stopped, ..lost() }] {
        let stopped = after(&running, observe_instance(&running, Seen::Present(&stop), at(5)), at(5));
        assert!(stopped.departure.is_some());
        let pending = instance(InstanceState::Pending);
        let starting = after(&stopped, observe_instance(&stopped, Seen::Present(&pending), at(6)), at(6));
        let up = instance(InstanceState::Running);
        let up = after(&starting, observe_instance(&starting, Seen::Present(&up), at(7)), at(7));
        assert_eq!((up.status, up.departure), (WorkerStatus::Running, None));
        assert_eq!(up.state_reason, "The instance was started again.");
    }
    // What was said of it since stands.
    let by_reconciler = Worker {
        state_reason: "Started by the reconciler: It was left so for 12 hours.".into(),
        departure: Some(Departure { kind: DriftKind::StoppedByHand, at: at(5) }),
        ..worker(WorkerStatus::Stopped, DesiredState::Running)
    };
    let up = instance(InstanceState::Running);
    let next = after(&by_reconciler, observe_instance(&by_reconciler, Seen::Present(&up), at(7)), at(7));
    assert_eq!(next.state_reason, by_reconciler.state_reason);
}

#[test]
fn another_instance_says_nothing_of_this_worker() {
    let known = worker(WorkerStatus::Running, DesiredState::Running);
    let other = InstanceObservation { id: instance_id(99), ..by_hand(InstanceState::Terminated) };
    assert!(observe_instance(&known, Seen::Present(&other), at(1)).is_empty());
}

#[test]
fn an_instance_that_was_lost_is_not_taken_for_the_one_launched_in_its_place_however_ec2_lists_it() {
    let failed = worker(WorkerStatus::Failed, DesiredState::Running);
    let (ami_id, offer) = ("ami-2".into(), Offer { instance_type: "m5zn.metal".into(), subnet_id: None });
    let relaunched = after(&failed, vec![WorkerEvent::LaunchIntended { number: 2, ami_id, offer }], at(1));
    for state in InstanceState::ALL {
        let former = InstanceObservation { state, ..lost() };
        assert!(observe_instance(&relaunched, Seen::Present(&former), at(2)).is_empty(), "{state:?}");
    }
    let launched = InstanceObservation { id: instance_id(2), ..instance(InstanceState::Pending) };
    let next = after(&relaunched, observe_instance(&relaunched, Seen::Present(&launched), at(2)), at(2));
    assert_eq!(next.instance.map(|facts| facts.id), Some(instance_id(2)));
}

#[test]
fn an_address_that_changed_is_taken_over_and_nothing_else_with_it() {
    let known =
        Worker { certificate_sha256: Some("ab".into()), ..worker(WorkerStatus::Running, DesiredState::Running) };
    let moved = InstanceObservation { public_ip: Some("203.0.113.8".into()), ..instance(InstanceState::Running) };
    let next = after(&known, observe_instance(&known, Seen::Present(&moved), at(1)), at(1));
    let mut facts = known.instance.clone().unwrap();
    facts.public_ip = Some("203.0.113.8".into());
    let expected = Worker { instance: Some(facts), version: known.version + 2, updated_at: at(1), ..known };
    assert_eq!(next, expected);
    assert_eq!(next.endpoint(CmlAddress::Public).as_deref(), Some("https://203.0.113.8"));
}

#[test]
fn a_worker_that_does_not_run_has_no_address_to_send_a_password_to() {
    for status in WorkerStatus::ALL {
        let worker = worker(status, DesiredState::Running);
        assert_eq!(worker.endpoint(CmlAddress::Public).is_some(), status == WorkerStatus::Running, "{status:?}");
    }
}

#[test]
fn only_an_address_of_the_kind_that_is_reached_is_used_and_what_an_admin_set_comes_first() {
    let mut worker = worker(WorkerStatus::Running, DesiredState::Running);
    let endpoints = |worker: &Worker| CmlAddress::ALL.map(|kind| worker.endpoint(kind));
    let [public, private, named] = endpoints(&worker);
    assert_eq!(public.as_deref(), Some("https://203.0.113.7"));
    assert_eq!(private.as_deref(), Some("https://10.0.0.7"));
    assert_eq!(named, None);
    worker.instance.as_mut().unwrap().public_ip = None;
    assert_eq!(worker.endpoint(CmlAddress::Public), None, "a private address leads nowhere from outside");
    worker.cml_endpoint = Some("https://cml.example.org".into());
    assert_eq!(endpoints(&worker), [(); 3].map(|()| Some("https://cml.example.org".to_owned())));
}

#[test]
fn a_run_that_began_after_the_one_known_of_is_a_new_run() {
    let known = worker(WorkerStatus::Running, DesiredState::Running);
    let seen = |minute| InstanceObservation { launched_at: Some(at(minute)), ..instance(InstanceState::Running) };
    let anew = after(&known, observe_instance(&known, Seen::Present(&seen(30)), at(31)), at(31));
    assert_eq!((anew.status, anew.running_since), (WorkerStatus::Running, Some(at(30))));
    // Neither an older answer, nor one from the future, is news.
    assert!(observe_instance(&anew, Seen::Present(&seen(0)), at(32)).is_empty());
    assert!(observe_instance(&anew, Seen::Present(&seen(99)), at(32)).is_empty());
}

#[test]
fn cml_is_not_up_on_an_instance_that_is_not() {
    let up = Worker { service: ServiceStatus::Available, ..worker(WorkerStatus::Running, DesiredState::Running) };
    for state in InstanceState::ALL {
        let next = after(&up, observe_instance(&up, Seen::Present(&instance(state)), at(1)), at(1));
        assert_eq!(next.service == ServiceStatus::Available, state == InstanceState::Running, "{state:?}");
    }
    assert_eq!(service_event(&up, WorkerStatus::Running, ServiceStatus::Available), None);
    assert!(service_event(&up, WorkerStatus::Running, ServiceStatus::Error).is_some());
}

#[test]
fn names_of_states_read_back_in_one_spelling_only() {
    for status in WorkerStatus::ALL {
        assert_eq!(WorkerStatus::from_name(status.name()), Some(status));
        assert_eq!(WorkerStatus::from_name(&status.name().to_uppercase()), None);
    }
    for desired in DesiredState::ALL {
        assert_eq!(DesiredState::from_name(desired.name()), Some(desired));
        assert_eq!(DesiredState::from_name(&desired.name().to_uppercase()), None);
    }
    for service in ServiceStatus::ALL {
        assert_eq!(ServiceStatus::from_name(service.name()), Some(service));
    }
}
