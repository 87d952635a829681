//! The end of a worker: nothing is lost and no seat leaks, whatever goes wrong on the way.

use app::ports::{CmlLabs, CmlSystem};
use app::use_cases::controller::Way;
use app::use_cases::retire_worker::{retire_worker, terminate_by_force};
use app::use_cases::run_cml_operation::run_cml_operation;
use app::use_cases::run_operation::run_operation;
use domain::instance::Lifecycle;
use domain::operation::{Operation, OperationStatus, Task};
use domain::worker::{Change, DesiredState, InstanceFacts, WorkerEvent, WorkerStatus};
use domain::{Actor, OperationId, Role};
use local_controllers::{ControllerFault, FaultOrder};

use super::world::{LabWorld, TWO_NODES, asked, person};
use crate::handlers::world::cloud;

/// The calls of each step.
pub(super) const STEPS: [(&str, &str); 10] = [
    ("GET", "/labs"),
    ("GET", "/labs/*"),
    ("GET", "/labs/*/nodes"),
    ("PUT", "/labs/*/nodes/*/extract_configuration"),
    ("GET", "/labs/*/download"),
    ("GET", "/system/notices"),
    ("POST", "/system/notices"),
    ("PUT", "/labs/*/stop"),
    ("GET", "/system_stats"),
    ("DELETE", "/licensing/deregistration"),
];

impl LabWorld {
    pub(super) async fn retire(&self) -> Operation {
        retire_worker(&self.ctx, &asked(&person(Role::Admin, "ada")), self.worker(0)).await.unwrap()
    }

    /// The operation, once all is saved and it goes on as a termination, or has ended.
    pub(super) async fn saved(&self, id: OperationId) -> Operation {
        self.deliver().await;
        for _ in 0..400 {
            let operation = self.operation(id).await;
            if operation.status.is_final() || operation.task == Task::TerminateWorker {
                return operation;
            }
            self.tick().await;
        }
        panic!("it is never saved: {:?}", self.operation(id).await);
    }

    /// The operation, once EC2 has done its part.
    pub(super) async fn terminated(&self, id: OperationId) -> Operation {
        let saved = self.saved(id).await;
        assert_eq!((&saved.task, saved.status), (&Task::TerminateWorker, OperationStatus::Running), "{saved:?}");
        let cloud = cloud(self.clock.clone());
        run_operation(&self.ctx, self.ec2_ports(&cloud), id).await.unwrap();
        self.operation(id).await
    }

    /// All that must be true of a worker that ended well.
    async fn ended_well(&self, way: &Way, operation: &Operation, what: &str) {
        assert_eq!(operation.status, OperationStatus::Succeeded, "{what}: {operation:?}");
        let detail = operation.result.as_ref().unwrap().detail.clone().unwrap_or_default();
        assert!(detail.contains("1 lab was saved before"), "{what}: {detail}");
        assert_eq!(self.files.memory.all().len(), 1, "{what}: one backup, and no orphan");
        assert!(!self.seat_is_taken(), "{what}: the seat leaked");
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        assert_eq!(worker.desired, DesiredState::Terminated, "{what}");
        let statistics = self.client.statistics(way.access()).await;
        let running = statistics.unwrap().computes.iter().filter_map(|compute| compute.running_nodes).sum::<u32>();
        assert_eq!(running, 0, "{what}: nodes run");
        let notices = self.client.notices(way.access()).await.unwrap();
        assert_eq!(notices.len(), 1, "{what}");
    }

    /// The first worker's machine, as EC2 tells of it, shows a status.
    pub(super) async fn show(&self, to: WorkerStatus) {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let facts = InstanceFacts {
            id: self.workers[0].1.parse().unwrap(),
            instance_type: "m5zn.metal".into(),
            ami_id: "ami-0123456789abcdef0".into(),
            availability_zone: None,
            public_ip: None,
            private_ip: None,
            lifecycle: Lifecycle::OnDemand,
            detailed_monitoring: false,
        };
        let running_since = (to == WorkerStatus::Running).then(|| self.ctx.now());
        let shown = WorkerEvent::StatusChanged { from: worker.status, to, detail: None, reason: None, running_since };
        self.happen(vec![WorkerEvent::InstanceAttached(facts), shown]).await;
    }

    /// Something happens to the first worker.
    pub(super) async fn happen(&self, events: Vec<WorkerEvent>) {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let change = Change::of(&worker, events, Actor::Aws, self.ctx.now());
        let commit = app::store::Commit { change, ..app::store::Commit::default() };
        self.ctx.store.commit(&commit, self.ctx.settings.operation_retention).await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_ends_with_its_labs_saved_people_told_nodes_stopped_and_its_seat_given_back() {
    let world = LabWorld::new().await;
    world.booted_lab(0, TWO_NODES).await;
    let operation = world.retire().await;
    assert_eq!(operation.task.kind(), "terminate_worker");
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    let way = world.way(0).await;
    assert_eq!(worker.desired, DesiredState::Running, "nothing is wished before all is saved");
    assert_eq!(world.retire().await.id, operation.id, "the one under way");
    let done = world.terminated(operation.id).await;
    world.ended_well(&way, &done, "no fault").await;
    let notices = world.client.notices(way.access()).await.unwrap();
    let ours: Vec<_> = notices.iter().filter(|notice| notice.enabled == Some(true)).collect();
    assert_eq!(ours.len(), 1);
    assert!(ours[0].content.as_deref().unwrap().starts_with("Terminated by ada."), "{ours:?}");
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    assert_eq!(worker.state_reason, "Terminated by ada.");
}

#[tokio::test]
async fn the_end_of_a_worker_survives_a_fault_at_every_step() {
    for (method, path) in STEPS {
        for fault in [ControllerFault::BadGateway, ControllerFault::AnswerLost] {
            let what = format!("{fault:?} at {method} {path}");
            let world = LabWorld::new().await;
            world.booted_lab(0, TWO_NODES).await;
            // Reads are repeated by the client itself; so often that it gives up.
            let times = if method == "GET" { 6 } else { 1 };
            world.order(0, FaultOrder::once(fault).at(method, path).times(times)).await;
            let operation = world.retire().await;
            let way = world.way(0).await;
            let done = world.terminated(operation.id).await;
            world.ended_well(&way, &done, &what).await;
        }
    }
}

#[tokio::test]
async fn no_step_is_passed_over_while_its_call_fails() {
    // A node that does not answer is noted, and the lab saved with what was stored before. Without tiles labs are
    // read one by one.
    let done_without = |path: &str| path.ends_with("extract_configuration") || path == "/populate_lab_tiles";
    for (method, path) in STEPS.into_iter().filter(|(_, path)| !done_without(path)) {
        let what = format!("{method} {path}");
        let world = LabWorld::new().await;
        world.booted_lab(0, TWO_NODES).await;
        world.order(0, FaultOrder::once(ControllerFault::BadGateway).at(method, path).always()).await;
        let operation = world.retire().await;
        for _ in 0..20 {
            world.tick().await;
        }
        let operation = world.operation(operation.id).await;
        assert_eq!(operation.status, OperationStatus::Running, "{what}: {operation:?}");
        assert!(matches!(operation.task, Task::RetireWorker(_)), "{what}: {operation:?}");
        assert!(world.seat_is_taken(), "{what}");
        let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
        assert_eq!(worker.desired, DesiredState::Running, "{what}");
    }
}

#[tokio::test]
async fn the_end_of_a_worker_survives_a_failing_table_revoked_tokens_and_messages_that_come_twice() {
    for writes in 0..12 {
        let what = format!("after {writes} writes");
        let world = LabWorld::new().await;
        world.booted_lab(0, TWO_NODES).await;
        let operation = world.retire().await;
        world.table.fail_writes_after(writes);
        let _ = run_cml_operation(&world.ctx, world.ports(), operation.id).await;
        world.tick().await;
        world.table.heal();
        world.order(0, FaultOrder::once(ControllerFault::TokensRevoked)).await;
        let twice = world.queues.take();
        world.queues.put_back(twice.clone());
        world.queues.put_back(twice);
        let way = world.way(0).await;
        let done = world.terminated(operation.id).await;
        world.ended_well(&way, &done, &what).await;
    }
}

#[tokio::test]
async fn a_seat_that_smart_licensing_did_not_hear_of_is_warned_of_in_the_end() {
    let world = LabWorld::new().await;
    world.order(0, FaultOrder::once(ControllerFault::DeregistrationUnheard)).await;
    let operation = world.retire().await;
    let done = world.terminated(operation.id).await;
    assert_eq!(done.status, OperationStatus::Succeeded);
    let warnings = done.result.unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("the seat may still be taken"), "{warnings:?}");
}

#[tokio::test]
async fn what_is_started_again_is_stopped_again_and_what_is_made_meanwhile_is_saved_too() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    // So that its run ends before anything is stopped.
    world.fault(0, ControllerFault::BadGateway, "PUT", "/labs/*/stop").await;
    let operation = world.retire().await;
    world.deliver().await;
    world.tick().await;
    let way = world.way(0).await;
    let new = world.client.import_lab(way.access(), TWO_NODES, Some("made meanwhile")).await.unwrap();
    world.client.start_lab(way.access(), &new.id).await.unwrap();
    let done = world.terminated(operation.id).await;
    let detail = done.result.clone().unwrap().detail.unwrap();
    assert!(detail.contains("2 labs were saved before"), "{detail}");
    assert_eq!(world.files.memory.all().len(), 2);
    for lab in [lab.as_str(), new.id.as_str()] {
        let state = world.client.lab_state(way.access(), lab).await.unwrap();
        assert_eq!(state.name(), "STOPPED", "{lab}");
    }
    assert!(!world.seat_is_taken());
}

#[tokio::test]
async fn a_stopped_worker_with_labs_or_a_licence_has_to_be_started_first_or_ended_by_force() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    world.show(WorkerStatus::Stopped).await;
    let operation = world.retire().await;
    let (code, message) = world.failed(operation.id).await;
    assert_eq!(code, "not_running");
    assert!(message.contains("Start it first.") && message.contains("with force and a reason"), "{message}");
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    assert_eq!(worker.desired, DesiredState::Running);

    let admin = asked(&person(Role::Admin, "ada"));
    let forced = terminate_by_force(&world.ctx, &admin, world.worker(0), "the disk is broken").await.unwrap();
    assert_eq!(forced.task, Task::TerminateWorker);
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    assert_eq!(worker.desired, DesiredState::Terminated);
    assert_eq!(worker.state_reason, "Terminated by ada, by force: the disk is broken");
}

#[tokio::test]
async fn an_end_that_waits_for_its_controller_gives_way_to_force() {
    let world = LabWorld::new().await;
    world.booted_lab(0, TWO_NODES).await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).always()).await;
    let waiting = world.retire().await;
    for _ in 0..5 {
        world.tick().await;
    }
    assert_eq!(world.operation(waiting.id).await.status, OperationStatus::Running);
    let admin = asked(&person(Role::Admin, "ada"));
    terminate_by_force(&world.ctx, &admin, world.worker(0), "it never answers").await.unwrap();
    let done = world.terminated(waiting.id).await;
    assert_eq!(done.status, OperationStatus::Succeeded, "both operations end as one");
}

#[tokio::test]
async fn in_safe_mode_nothing_is_saved_stopped_or_ended() {
    let world = LabWorld::with(|settings| settings.safe_mode = true).await;
    world.booted_lab(0, TWO_NODES).await;
    let operation = world.retire().await;
    assert_eq!(world.failed(operation.id).await.0, "safe_mode");
    assert!(world.seat_is_taken() && world.files.memory.all().is_empty());
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    assert_eq!(worker.desired, DesiredState::Running);
}
