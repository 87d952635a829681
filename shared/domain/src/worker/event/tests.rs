use super::*;
use crate::fixture::{ada, after, at, draft, instance, instance_id, worker};
use crate::instance::{InstanceObservation, InstanceState};
use crate::worker::CmlAddress;
use crate::worker::command::{Command, Update, command};
use crate::worker::observe::{Miss, Seen, observe_instance};
use proptest::prelude::*;

/// Something that comes to a worker from outside.
#[derive(Clone, Debug)]
enum Input {
    Asked(Command),
    Seen(Box<InstanceObservation>),
    NotSeen,
}

fn commands() -> impl Strategy<Value = Command> {
    let word = || prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let maybe = move || prop::option::of(prop::option::of(word()));
    let update = (prop::option::of(word()), maybe(), maybe(), maybe(), any::<Option<bool>>()).prop_map(
        |(name, owner, cml_endpoint, cml_credentials_ref, idle_enabled)| {
            Command::Update(Update {
                name,
                owner,
                cml_endpoint,
                cml_credentials_ref,
                idle_enabled,
                ..Update::default()
            })
        },
    );
    prop_oneof![
        6 => (prop::sample::select(vec![
            DesiredState::Running, DesiredState::Running, DesiredState::Stopped, DesiredState::Terminated,
        ]), word()).prop_map(|(desired, reason)| Command::Want { desired, reason }),
        4 => (word(), word(), prop::option::of(word())).prop_map(|(ami_id, instance_type, fallback)| {
            Command::IntendLaunch { ami_id, offer: Offer { instance_type, subnet_id: None }, fallback }
        }),
        2 => (0_u32..4, word()).prop_map(|(number, detail)| Command::LaunchRefused { number, detail }),
        1 => Just(Command::LaunchUnseen),
        1 => (word(), word()).prop_map(|(instance_type, reason)| {
            Command::FallBack { offer: Offer { instance_type, subnet_id: None }, reason }
        }),
        2 => word().prop_map(|detail| Command::LaunchFailed { detail }),
        2 => update,
        1 => any::<bool>().prop_map(|enabled| Command::SetMonitoring { enabled }),
        1 => Just(Command::Repin),
        1 => word().prop_map(|reason| Command::Reconcile { action: Action::Start, reason }),
        1 => prop::option::of(word()).prop_map(|cml_credentials_ref| Command::UseCredentials { cml_credentials_ref }),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let names = ["pending", "running", "running", "shutting-down", "terminated", "stopping", "stopped", "new word"];
    let code = prop::sample::select(vec![None, Some("Server.InternalError"), Some("Client.UserInitiatedShutdown")]);
    let seen = (prop::sample::select(names.to_vec()), code, 1_u32..4, prop::option::of(-10_i64..500), 0_u8..3)
        .prop_map(|(state, code, number, launched, ip)| {
            Input::Seen(Box::new(InstanceObservation {
                id: instance_id(number),
                state_reason_code: code.map(Into::into),
                state_reason_message: code.map(|code| format!("{code}: words")),
                launched_at: launched.map(at),
                public_ip: (ip > 0).then(|| format!("203.0.113.{ip}")),
                ..instance(InstanceState::from_name(state))
            }))
        });
    prop_oneof![3 => commands().prop_map(Input::Asked), 4 => seen, 1 => Just(Input::NotSeen)]
}

/// Inputs, each some seconds after the one before.
fn histories() -> impl Strategy<Value = Vec<(i64, Input)>> {
    prop::collection::vec((0_i64..200, inputs()), 1..40)
}

/// What one input gives; a refusal gives nothing.
fn judge(worker: &Worker, input: &Input, now: Timestamp) -> Vec<WorkerEvent> {
    match input {
        Input::Asked(asked) => command(worker, asked).unwrap_or_default(),
        Input::Seen(seen) => observe_instance(worker, Seen::Present(seen), now),
        Input::NotSeen => observe_instance(worker, Seen::Absent, now),
    }
}

/// Lives through a history; `check` sees each step: before, input, events, after.
fn live(
    history: &[(i64, Input)],
    mut check: impl FnMut(&Worker, &Input, &[WorkerEvent], &Worker, Timestamp) -> Result<(), TestCaseError>,
) -> Result<(Worker, Vec<(Timestamp, WorkerEvent)>), TestCaseError> {
    let (mut worker, mut now, mut feed) = (draft(), at(0), vec![]);
    if let Some(made) = Change::of(&worker, vec![WorkerEvent::Created], ada(), now) {
        feed.push((now, WorkerEvent::Created));
        worker = made.worker;
    }
    for (seconds, input) in history {
        now += jiff::SignedDuration::from_secs(*seconds);
        let events = judge(&worker, input, now);
        let next = match Change::of(&worker, events.clone(), ada(), now) {
            None => worker.clone(),
            Some(change) => {
                prop_assert_eq!(change.expected_version, worker.version);
                prop_assert_eq!(change.worker.version, worker.version + events.len() as u64);
                change.worker
            }
        };
        check(&worker, input, &events, &next, now)?;
        feed.extend(events.into_iter().map(|event| (now, event)));
        worker = next;
    }
    Ok((worker, feed))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replaying_the_events_gives_the_snapshot_and_its_version_counts_them(history in histories()) {
        let (worker, feed) = live(&history, |_, _, _, _, _| Ok(()))?;
        let mut replayed = draft();
        for (at, event) in &feed {
            replayed.apply(event, *at);
        }
        prop_assert_eq!(&replayed, &worker);
        prop_assert_eq!(worker.version, feed.len() as u64);
    }

    #[test]
    fn the_same_observation_twice_is_news_once(history in histories()) {
        live(&history, |_, input, _, next, now| {
            if !matches!(input, Input::Asked(_)) {
                prop_assert_eq!(judge(next, input, now), vec![]);
            }
            Ok(())
        })?;
    }

    #[test]
    fn observations_never_change_a_wish_or_what_people_set(history in histories()) {
        live(&history, |before, input, _, next, _| {
            if !matches!(input, Input::Asked(_)) {
                prop_assert_eq!(next.desired, before.desired);
                prop_assert_eq!((&next.name, &next.owner, &next.tags), (&before.name, &before.owner, &before.tags));
                prop_assert_eq!((&next.cml_endpoint, next.idle_policy), (&before.cml_endpoint, before.idle_policy));
                prop_assert_eq!((next.launch_number, &next.spec), (before.launch_number, &before.spec));
            }
            Ok(())
        })?;
    }

    #[test]
    fn terminated_means_ec2_said_so_or_kept_silent_twice(history in histories()) {
        live(&history, |before, input, events, next, now| {
            if before.is_over() {
                prop_assert!(events.is_empty(), "terminated is the end: {:?}", events);
            } else if before.status == WorkerStatus::Terminated {
                // Gone against the wish: what EC2 shows changes nothing, and only a launch leads out of it.
                prop_assert!(events.is_empty() || matches!(input, Input::Asked(_)), "{:?}", events);
                let launched = matches!(input, Input::Asked(Command::IntendLaunch { .. }));
                prop_assert!(next.status == WorkerStatus::Terminated || launched && before.is_wanted_back());
            } else if next.status == WorkerStatus::Terminated {
                match input {
                    Input::Asked(asked) => prop_assert!(false, "{:?} is only a wish", asked),
                    Input::Seen(seen) => prop_assert_eq!(seen.state, InstanceState::Terminated),
                    Input::NotSeen if before.never_had_instance() => {
                        prop_assert_eq!(before.desired, DesiredState::Terminated);
                    }
                    // Refused, though it may have been launched all the same: then it is missed like any other.
                    Input::NotSeen if before.launch_refused && before.instance.is_none() => {
                        prop_assert_eq!(before.desired, DesiredState::Terminated);
                    }
                    Input::NotSeen => prop_assert_eq!(Miss::of(before.missing_since, now), Miss::Second),
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_launch_has_one_token_and_an_instance_is_dropped_only_when_it_is_lost(history in histories()) {
        live(&history, |before, _, _, next, _| {
            let token = next.client_token();
            prop_assert!(token.is_ascii() && token.len() <= 64);
            let other = token != before.client_token();
            let lost = before.status == WorkerStatus::Failed || before.is_wanted_back();
            if other {
                prop_assert!(before.launch_number == 0 || before.launch_refused || lost);
                prop_assert!(next.has_open_launch());
                prop_assert_eq!(&next.certificate_sha256, &None);
            }
            let dropped = before.instance.is_some() && next.instance.is_none();
            prop_assert!(!dropped || (other && lost));
            Ok(())
        })?;
    }

    #[test]
    fn when_a_machine_ceases_to_run_is_kept_until_the_next_time(history in histories()) {
        live(&history, |before, _, _, next, now| {
            let ceased = before.status.may_run() && !next.status.may_run();
            prop_assert_eq!(next.ran_until, if ceased { Some(now) } else { before.ran_until });
            Ok(())
        })?;
    }

    #[test]
    fn a_snapshot_never_contradicts_itself(history in histories()) {
        live(&history, |_, _, _, next, now| {
            let runs = next.status == WorkerStatus::Running;
            prop_assert_eq!(next.running_since.is_some(), runs);
            prop_assert!(next.running_since.is_none_or(|since| since <= now));
            prop_assert!(runs || next.service == ServiceStatus::Unavailable);
            prop_assert!(runs || next.endpoint(CmlAddress::Public).is_none() || next.cml_endpoint.is_some());
            prop_assert!(!next.state_reason.is_empty());
            prop_assert!(!next.has_open_launch() || next.instance.is_none());
            Ok(())
        })?;
    }
}

#[test]
fn nothing_happened_is_nothing_to_write() {
    assert_eq!(Change::of(&draft(), vec![], ada(), at(1)), None);
}

#[test]
fn what_is_told_of_a_failed_attempt_is_over_when_the_wish_comes_true_all_the_same() {
    for (desired, before, state) in [
        (DesiredState::Running, WorkerStatus::Starting, InstanceState::Running),
        (DesiredState::Stopped, WorkerStatus::Stopping, InstanceState::Stopped),
        (DesiredState::Terminated, WorkerStatus::Terminating, InstanceState::Terminated),
    ] {
        let failed = Command::WishFailed { reason: "It took too long.".into() };
        let known = worker(before, desired);
        let failed = after(&known, command(&known, &failed).unwrap(), at(1));
        assert_eq!((failed.wish.unfulfilled, failed.state_reason.as_str()), (true, "It took too long."));
        let true_by_now = after(&failed, observe_instance(&failed, Seen::Present(&instance(state)), at(2)), at(2));
        let told = format!("It is {} by now, as it is wanted.", desired.name());
        assert_eq!((true_by_now.wish.unfulfilled, true_by_now.state_reason), (false, told));
        // Where nothing failed, the reason stays.
        let came = after(&known, observe_instance(&known, Seen::Present(&instance(state)), at(2)), at(2));
        assert_eq!(came.state_reason, known.state_reason);
    }
}
