//! What the tests of every judgement start from.

use std::collections::BTreeMap;

use crate::actor::Actor;
use crate::id::{InstanceId, Place, WorkerId};
use crate::instance::{InstanceObservation, InstanceState, Lifecycle};
use crate::metrics::ServiceStatus;
use crate::worker::{
    Change, DesiredState, IdlePolicy, InstanceFacts, LaunchSpec, Wish, Worker, WorkerEvent, WorkerStatus,
};
use jiff::{SignedDuration, Timestamp};

/// Minutes after the moment all tests begin at.
pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap() + SignedDuration::from_mins(minutes)
}

pub(crate) fn ada() -> Actor {
    Actor::User { subject: "ada-1".into(), username: "ada".into() }
}

/// Recorded at minute 0, never launched.
pub(crate) fn draft() -> Worker {
    Worker {
        id: WorkerId::new(at(0), 7),
        version: 0,
        name: "lab-1".into(),
        place: Place { account: "123456789012".parse().unwrap(), region: "eu-central-1".parse().unwrap() },
        spec: LaunchSpec::of_type("m5zn.metal"),
        imported: false,
        launch_number: 0,
        launch_ami_id: None,
        launch_offer: None,
        former_instance: None,
        launch_refused: false,
        instance: None,
        status: WorkerStatus::Pending,
        status_detail: None,
        status_since: at(0),
        desired: DesiredState::Running,
        wish: Wish::new(0, at(0)),
        departure: None,
        state_reason: "Created by ada.".into(),
        service: ServiceStatus::Unavailable,
        running_since: None,
        ran_until: None,
        missing_since: None,
        cml_endpoint: None,
        cml_credentials_ref: None,
        certificate_sha256: None,
        owner: None,
        tags: BTreeMap::new(),
        idle_policy: IdlePolicy::default(),
        created_at: at(0),
        updated_at: at(0),
    }
}

/// A worker with an instance; one that runs has run since minute 0.
pub(crate) fn worker(status: WorkerStatus, desired: DesiredState) -> Worker {
    Worker {
        version: 3,
        launch_number: 1,
        launch_ami_id: Some("ami-0123456789abcdef0".into()),
        instance: Some(InstanceFacts::from(&instance(InstanceState::Running))),
        running_since: (status == WorkerStatus::Running).then(|| at(0)),
        status,
        desired,
        ..draft()
    }
}

/// A launch was intended, and nobody knows yet what came of it.
pub(crate) fn open_launch(desired: DesiredState) -> Worker {
    Worker { instance: None, ..worker(WorkerStatus::Pending, desired) }
}

pub(crate) fn instance_id(number: u32) -> InstanceId {
    format!("i-{number:017x}").parse().unwrap()
}

/// The worker's instance, launched at minute 0, as EC2 lists it.
pub(crate) fn instance(state: InstanceState) -> InstanceObservation {
    InstanceObservation {
        id: instance_id(1),
        state,
        state_reason_code: None,
        state_reason_message: None,
        instance_type: "m5zn.metal".into(),
        ami_id: "ami-0123456789abcdef0".into(),
        availability_zone: Some("eu-central-1a".into()),
        public_ip: Some("203.0.113.7".into()),
        private_ip: Some("10.0.0.7".into()),
        lifecycle: Lifecycle::OnDemand,
        launched_at: Some(at(0)),
        detailed_monitoring: false,
        tags: draft().ec2_tags(),
    }
}

/// Terminated by a failed host.
pub(crate) fn lost() -> InstanceObservation {
    InstanceObservation {
        state_reason_code: Some("Server.InternalError".into()),
        state_reason_message: Some("Internal error on launch".into()),
        ..instance(InstanceState::Terminated)
    }
}

/// The worker after these events, or as it was.
pub(crate) fn after(worker: &Worker, events: Vec<WorkerEvent>, now: Timestamp) -> Worker {
    Change::of(worker, events, ada(), now).map_or_else(|| worker.clone(), |change| change.worker)
}

/// Cases by their outcome, in the order the outcomes first appear: one readable line an outcome.
pub(crate) fn grouped(title: &str, cases: impl IntoIterator<Item = (String, String)>) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (case, outcome) in cases {
        match lines.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, cases)) => cases.push(case),
            None => lines.push((outcome, vec![case])),
        }
    }
    let alone = lines.len() == 1;
    let line = |(outcome, cases): (String, Vec<String>)| {
        format!("  {} -> {outcome}\n", if alone { "anything".into() } else { cases.join(", ") })
    };
    lines.into_iter().fold(format!("{title}\n"), |text, one| text + &line(one))
}
