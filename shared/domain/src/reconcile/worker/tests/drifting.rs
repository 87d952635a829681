//! What counts as drift, and since when.

use super::*;

#[test]
fn a_stop_by_its_host_is_told_once() {
    let running = worker(WorkerStatus::Running, DesiredState::Running);
    let seen = InstanceObservation { state: InstanceState::Stopped, ..lost() };
    let taken_down = after(&running, observe_instance(&running, Seen::Present(&seen), at(5)), at(5));
    let decision = judge(&taken_down, &Evidence::default(), &ReconcileRecord::default(), at(6));
    let told = (decision.action, decision.reason.as_str());
    assert_eq!(told, (Action::Start, "Its host took it down. EC2 says: Internal error on launch."));
}

#[test]
fn only_tags_kept_here_drift_and_the_name_of_what_was_launched_here() {
    let tags = BTreeMap::from([("team".to_owned(), "networks".to_owned())]);
    let ours = Worker { tags: tags.clone(), ..worker(WorkerStatus::Running, DesiredState::Running) };
    let named = |name: &str| {
        let others = [("Name".to_owned(), name.to_owned()), ("cost".to_owned(), "7".to_owned())];
        draft().ec2_tags().into_iter().chain(others).collect::<BTreeMap<_, _>>()
    };
    let kinds = |worker: &Worker, seen: &BTreeMap<String, String>| {
        drift(worker, Some(seen), at(1))
            .iter()
            .map(|one| (one.kind, one.was.clone(), one.is.clone()))
            .collect::<Vec<_>>()
    };
    let mut seen = named("lab-1");
    seen.extend(tags);
    assert_eq!(kinds(&ours, &seen), []);
    let differ = kinds(&ours, &named("lab-2"));
    assert_eq!(differ, [(DriftKind::Tags, "Name=lab-1, team=networks".to_owned(), "Name=lab-2, team=".to_owned())]);
    let imported = Worker { imported: true, tags: BTreeMap::new(), ..ours.clone() };
    assert_eq!(kinds(&imported, &named("lab-2")), []);
    assert_eq!(drift(&ours, None, at(1)), [], "what was not seen is not known to differ");
}

#[test]
fn each_mark_of_ours_that_an_instance_lost_is_drift() {
    let launched = worker(WorkerStatus::Running, DesiredState::Running);
    let imported = Worker { imported: true, ..launched.clone() };
    let id = format!("ccm:worker-id={}", launched.id);
    for (worker, mark, was) in [
        (&launched, "ccm:managed", "ccm:managed=true"),
        (&launched, "ccm:worker-id", id.as_str()),
        (&imported, "ccm:managed", "ccm:managed=true"),
        (&imported, "ccm:worker-id", id.as_str()),
    ] {
        let mut seen = worker.ec2_tags();
        seen.remove(mark);
        let found = drift(worker, Some(&seen), at(1));
        let told: Vec<_> = found.iter().map(|one| (one.kind, one.was.as_str(), one.is.clone())).collect();
        assert_eq!(told, [(DriftKind::Tags, was, format!("{mark}="))]);
    }
}

#[test]
fn an_instance_counts_as_unmanaged_once_it_has_been_seen_without_the_tag_for_a_while() {
    let ours = worker(WorkerStatus::Running, DesiredState::Running);
    let unmanaged = |tags: &BTreeMap<String, String>, minute| {
        let record = ReconcileRecord::default().drifted(drift(&ours, Some(tags), at(0)));
        is_unmanaged(&record, tags, at(minute))
    };
    let mut tags = ours.ec2_tags();
    assert!(!unmanaged(&tags, 3));
    tags.remove("ccm:worker-id");
    assert!(!unmanaged(&tags, 3), "what is missing is put back by us");
    for value in [None, Some("false")] {
        tags.remove("ccm:managed");
        tags.extend(value.map(|value| ("ccm:managed".to_owned(), value.to_owned())));
        assert!(!unmanaged(&tags, 2), "EC2's lists lag");
        assert!(unmanaged(&tags, 3), "{value:?}");
    }
}

#[test]
fn a_type_that_somebody_changed_is_shown_and_an_address_while_it_runs_is_told() {
    let running = worker(WorkerStatus::Running, DesiredState::Running);
    let seen = InstanceObservation {
        instance_type: "m5.large".into(),
        public_ip: Some("203.0.113.99".into()),
        ..instance(InstanceState::Running)
    };
    let events = observe_instance(&running, Seen::Present(&seen), at(5));
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Drifted { kind, was, is } => Some((*kind, was.as_str(), is.as_str())),
            _ => None,
        })
        .collect();
    let expected =
        [(DriftKind::InstanceType, "m5zn.metal", "m5.large"), (DriftKind::Address, "203.0.113.7", "203.0.113.99")];
    assert_eq!(told, expected);
    let now = after(&running, events, at(5));
    let shown: Vec<_> = drift(&now, None, at(5)).into_iter().map(|one| one.kind).collect();
    assert_eq!(shown, [DriftKind::InstanceType]);
    assert_eq!(now.departure, None, "it runs as wished all the same");
}
