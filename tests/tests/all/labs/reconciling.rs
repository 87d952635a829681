//! What is wished of labs is kept true, once, and a person in CML is respected.

use app::message::{CollectCml, CollectLabs};
use app::ports::{Clock, CmlLabs};
use app::store::{Commit, StoredWish};
use app::use_cases::collect_cml::collect_cml;
use app::use_cases::collect_labs::collect_labs;
use app::use_cases::lab_commands::act_on_lab;
use app::use_cases::read_labs::wishes_of;
use domain::decision::Action;
use domain::drift::DriftKind;
use domain::lab::LabAction;
use domain::operation::{Operation, OperationStatus, Task};
use domain::reconcile::lab::DesiredLab;
use domain::worker::{Change, DesiredState, WorkerEvent, WorkerStatus};
use domain::{Actor, LabId, Role, SignedDuration};
use local_controllers::RunningInstance;

use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    pub(super) async fn wish(&self, lab: &LabId, action: LabAction) -> Operation {
        let mia = person(Role::Manager, "mia");
        act_on_lab(&self.ctx, &asked(&mia), &mia, self.worker(0), lab, action).await.unwrap()
    }

    /// A lab that somebody started here, and that runs.
    pub(super) async fn wished_lab(&self) -> LabId {
        let lab = self.lab(0, TWO_NODES).await;
        let start = self.wish(&lab, LabAction::Start).await;
        self.succeeded(start.id).await;
        self.read_labs(0).await;
        lab
    }

    pub(super) async fn stored_wish(&self, lab: &LabId) -> StoredWish {
        self.ctx.store.lab_wish(self.worker(0), lab).await.unwrap().unwrap()
    }

    /// What was decided last of the lab, and why.
    pub(super) async fn decided(&self, lab: &LabId) -> (Action, String) {
        let (_, decision) = self.stored_wish(lab).await.decided.unwrap();
        (decision.action, decision.reason)
    }

    /// What people are told of that.
    async fn told(&self, lab: &LabId) -> (Action, String) {
        let read = self.ctx.store.lab(self.worker(0), lab).await.unwrap();
        let mut wishes = wishes_of(&self.ctx, &[read]).await.unwrap();
        let (_, decision) = wishes.pop_first().unwrap().1.decided.unwrap();
        (decision.action, decision.reason)
    }

    pub(super) async fn shows(&self, lab: &LabId) -> String {
        self.client.lab_state(self.way(0).await.access(), lab.as_str()).await.unwrap().to_string()
    }

    /// What the reconciler began with that lab, newest first.
    pub(super) async fn begun(&self, lab: &LabId) -> Vec<Operation> {
        let all = self.ctx.store.list_operations(Some(self.worker(0)), 200, None).await.unwrap().items;
        let of_lab = |task: &Task| matches!(task, Task::ActOnLab(task) if task.lab == *lab);
        all.into_iter().filter(|one| one.requested_by == Actor::reconciler() && of_lab(&one.task)).collect()
    }

    async fn happens(&self, events: Vec<WorkerEvent>) {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let change = Change::of(&worker, events, Actor::Aws, self.ctx.now());
        let commit = Commit { change, ..Commit::default() };
        self.ctx.store.commit(&commit, self.ctx.settings.operation_retention).await.unwrap();
    }

    /// The worker's machine stops, and comes up again with its controller. Its labs are not read yet.
    async fn restart(&self) {
        let (_, instance) = &self.workers[0];
        let others: Vec<RunningInstance> =
            self.running().into_iter().filter(|one| one.instance_id != *instance).collect();
        self.controllers.sync(&others).await;
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let to = |from, to, running_since| WorkerEvent::StatusChanged {
            from,
            to,
            detail: None,
            reason: None,
            running_since,
        };
        self.happens(vec![to(WorkerStatus::Running, WorkerStatus::Stopped, worker.running_since)]).await;
        self.clock.advance(SignedDuration::from_mins(5));
        self.controllers.sync(&self.running()).await;
        let cml_endpoint = Some(self.controllers.access(instance).unwrap().url);
        let runs = to(WorkerStatus::Stopped, WorkerStatus::Running, Some(self.clock.now()));
        let sha256 = worker.certificate_sha256.unwrap();
        let pinned = WorkerEvent::CertificatePinned { sha256 };
        self.happens(vec![runs, WorkerEvent::EndpointSet { cml_endpoint }, pinned]).await;
        self.clock.advance(SignedDuration::from_mins(15));
    }

    fn running(&self) -> Vec<RunningInstance> {
        let instance = |(n, (_, id)): (usize, &(domain::WorkerId, String))| RunningInstance {
            instance_id: id.clone(),
            running_since: if n == 0 { self.clock.now() } else { "2026-03-02T08:02:00Z".parse().unwrap() },
            instance_type: "m5zn.metal".into(),
            vcpus: 48,
        };
        self.workers.iter().enumerate().map(instance).collect()
    }

    /// Reads the controller, as the metrics schedule does.
    async fn read_controller(&self) {
        let message = CollectCml { worker_ids: vec![self.worker(0)] };
        collect_cml(&self.ctx, self.client.as_ref(), self.secrets.as_ref(), &message).await.unwrap();
    }

    /// Ticks until it is so; an hour at most.
    pub(super) async fn until(&self, mut so: impl AsyncFnMut() -> bool) {
        for _ in 0..120 {
            if so().await {
                return;
            }
            self.tick().await;
        }
        panic!("it never comes so far");
    }
}

#[tokio::test]
async fn labs_that_are_wished_started_are_started_again_once_after_their_worker_and_no_others() {
    let world = LabWorld::new().await;
    let wished = world.wished_lab().await;
    let nobodys = world.booted_lab(0, TWO_NODES).await;
    assert_eq!(world.decided(&wished).await.0, Action::None);
    world.restart().await;
    assert_eq!((world.shows(&wished).await, world.shows(&nobodys).await), ("STOPPED".into(), "STOPPED".into()));
    // Nobody waits half an hour for the schedule: the worker has just become ready.
    world.read_controller().await;
    world.tick().await;
    let begun = world.begun(&wished).await;
    assert_eq!(begun.len(), 1);
    let (_, reason) = world.decided(&wished).await;
    assert!(reason.contains("Its worker was started at"), "{reason}");
    world.succeeded(begun[0].id).await;
    for _ in 0..10 {
        world.read_labs(0).await;
    }
    assert_eq!((world.shows(&wished).await, world.shows(&nobodys).await), ("STARTED".into(), "STOPPED".into()));
    assert_eq!(world.begun(&wished).await.len(), 1, "once");
    assert_eq!(world.begun(&nobodys).await, []);
    assert_eq!(world.decided(&wished).await.0, Action::None);
}

#[tokio::test]
async fn of_many_labs_a_few_are_started_at_a_time_until_all_run() {
    let world = LabWorld::new().await;
    let mut labs = Vec::new();
    for _ in 0..5 {
        labs.push(world.wished_lab().await);
    }
    world.restart().await;
    world.read_labs(0).await;
    let begun = async || {
        let mut begun = 0;
        for lab in &labs {
            begun += world.begun(lab).await.len();
        }
        begun
    };
    assert_eq!(begun().await, 3);
    world
        .until(async || {
            let all = world.ctx.store.list_operations(Some(world.worker(0)), 200, None).await.unwrap().items;
            let acting = all.iter().filter(|one| !one.status.is_final()).count();
            assert!(acting <= 3, "{acting} at the same time");
            world.read_labs(0).await;
            let wishes = world.ctx.store.lab_wishes(world.worker(0)).await.unwrap();
            wishes.iter().all(|wish| wish.decided.as_ref().is_some_and(|(_, decision)| decision.action == Action::None))
        })
        .await;
    assert_eq!(begun().await, 5);
}

#[tokio::test]
async fn ten_readings_within_grace_and_two_at_the_same_moment_start_a_lab_once() {
    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    world.restart().await;
    let message = CollectLabs { worker_ids: vec![world.worker(0)] };
    let read = || collect_labs(&world.ctx, world.at(), world.secrets.as_ref(), &message);
    let (one, other) = futures::future::join(read(), read()).await;
    one.unwrap();
    other.unwrap();
    for _ in 0..10 {
        world.read_labs(0).await;
        world.clock.advance(SignedDuration::from_secs(10));
    }
    assert_eq!(world.begun(&lab).await.len(), 1);
}

#[tokio::test]
async fn a_lab_stopped_in_cml_is_respected_for_the_stated_time_and_that_is_explained() {
    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    world.client.stop_lab(world.way(0).await.access(), lab.as_str()).await.unwrap();
    world.until(async || world.shows(&lab).await == "STOPPED").await;
    world.read_labs(0).await;
    let (action, reason) = world.decided(&lab).await;
    assert_eq!(action, Action::Wait);
    assert!(reason.contains("Somebody changed that in CML") && reason.contains("it is respected until"), "{reason}");
    assert!(world.stored_wish(&lab).await.record.drift_of(DriftKind::LabStopped).is_some());
    for _ in 0..11 {
        world.clock.advance(SignedDuration::from_hours(1));
        world.read_labs(0).await;
    }
    assert_eq!(world.begun(&lab).await, []);
    world.clock.advance(SignedDuration::from_mins(61));
    world.read_labs(0).await;
    assert_eq!(world.begun(&lab).await.len(), 1, "the time is over");
}

#[tokio::test]
async fn a_new_wish_ends_what_was_respected() {
    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    world.client.stop_lab(world.way(0).await.access(), lab.as_str()).await.unwrap();
    world.until(async || world.shows(&lab).await == "STOPPED").await;
    world.read_labs(0).await;
    let stop = world.wish(&lab, LabAction::Stop).await;
    world.succeeded(stop.id).await;
    world.clock.advance(SignedDuration::from_secs(1));
    world.read_labs(0).await;
    let wish = world.stored_wish(&lab).await;
    assert_eq!((wish.wish.desired, world.decided(&lab).await.0), (DesiredLab::Stopped, Action::None));
    assert_eq!(wish.record.drift, []);
}

#[tokio::test]
async fn what_cml_refuses_is_given_up_with_its_words_until_somebody_wishes_again() {
    let world = LabWorld::new().await;
    let large: LabId = world.controllers.seed_lab(&world.workers[0].1, "Large", 121, false).unwrap().parse().unwrap();
    world.read_labs(0).await;
    let start = world.wish(&large, LabAction::Start).await;
    assert_eq!(world.failed(start.id).await.0, "cml_refused");
    for _ in 0..20 {
        world.tick().await;
    }
    let (action, reason) = world.decided(&large).await;
    assert_eq!(action, Action::GiveUp);
    assert!(reason.contains("exceeds the licensed limit of 120 nodes"), "{reason}");
    assert_eq!(world.begun(&large).await, []);
    let counts = world.ctx.store.reconciliation_counts().await.unwrap().labs;
    assert_eq!((counts.total, counts.in_need, counts.errors, counts.decisions["give_up"]), (1, 1, 1, 1));
    world.wish(&large, LabAction::Stop).await;
    assert_eq!(world.stored_wish(&large).await.record.last_failure, None);
}

#[tokio::test]
async fn safe_mode_and_a_worker_that_is_wanted_stopped_hold_what_was_decided() {
    let world = LabWorld::with(|settings| settings.safe_mode = true).await;
    let lab = world.lab(0, TWO_NODES).await;
    let start = world.wish(&lab, LabAction::Start).await;
    assert_eq!(world.failed(start.id).await.0, "safe_mode");
    world.clock.advance(SignedDuration::from_mins(3));
    world.read_labs(0).await;
    let (action, reason) = world.decided(&lab).await;
    assert_eq!(action, Action::Wait);
    assert!(reason.starts_with("SAFE_MODE is on, so nothing is done."), "{reason}");

    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    world.restart().await;
    let reason = "Stopped by mia.".to_owned();
    let (from, to) = (DesiredState::Running, DesiredState::Stopped);
    world.happens(vec![WorkerEvent::DesiredChanged { from, to, reason }]).await;
    let (action, reason) = world.told(&lab).await;
    assert_eq!(action, Action::Wait);
    assert!(reason.ends_with("and CML was not read since. It is judged when CML shows it."), "{reason}");
    world.read_labs(0).await;
    let (action, reason) = world.decided(&lab).await;
    assert_eq!(action, Action::Wait);
    assert!(reason.ends_with("Its worker is wanted stopped."), "{reason}");
    assert_eq!(world.told(&lab).await.1, reason);
    assert_eq!(world.begun(&lab).await, []);
}

#[tokio::test]
async fn a_wish_ends_with_its_lab() {
    let world = LabWorld::new().await;
    let (gone, wiped) = (world.wished_lab().await, world.wished_lab().await);
    let store = &world.ctx.store;
    assert_eq!(store.reconciliation_counts().await.unwrap().labs.total, 2);
    let way = world.way(0).await;
    for lab in [&gone, &wiped] {
        world.client.stop_lab(way.access(), lab.as_str()).await.unwrap();
        world.until(async || world.shows(lab).await == "STOPPED").await;
    }
    world.client.wipe_lab(way.access(), gone.as_str()).await.unwrap();
    world.client.delete_lab(way.access(), gone.as_str()).await.unwrap();
    // Of a lab that one listing does not have nobody says yet that it is gone.
    world.read_labs(0).await;
    assert_eq!(world.decided(&gone).await.0, Action::Wait);
    world.read_labs(0).await;
    assert_eq!(store.lab_wish(world.worker(0), &gone).await.unwrap(), None);
    // Who wipes a lab does not want it started again.
    let wipe = world.wish(&wiped, LabAction::Wipe).await;
    assert_eq!(world.ended(wipe.id).await.status, OperationStatus::Succeeded);
    world.read_labs(0).await;
    assert_eq!(store.lab_wish(world.worker(0), &wiped).await.unwrap(), None);
    assert_eq!(world.begun(&wiped).await, []);
    assert_eq!(store.reconciliation_counts().await.unwrap().labs.total, 0);
}
