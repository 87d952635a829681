//! An end that does not come: it says what is saved, takes its notice back, and can be asked for again.

use app::ports::{CmlLabs, CmlSystem};
use app::use_cases::lab_commands::act_on_lab;
use app::use_cases::license_commands::deregister_license;
use domain::lab::LabAction;
use domain::operation::{OperationStatus, Task};
use domain::worker::{DesiredState, WorkerEvent, WorkerStatus};
use domain::{Role, SignedDuration};
use local_controllers::{ControllerFault, FaultOrder};

use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    pub(super) async fn notices(&self) -> usize {
        self.client.notices(self.way(0).await.access()).await.unwrap().len()
    }

    /// Nobody was in contact with the first worker's controller since its launch.
    async fn without_contact(&self, imported: bool) {
        self.show(WorkerStatus::Running).await;
        self.happen(vec![WorkerEvent::CertificateForgotten]).await;
        if imported {
            let mut worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
            worker.imported = true;
            let change = domain::worker::Change {
                expected_version: worker.version,
                events: vec![WorkerEvent::CertificateForgotten],
                worker: domain::worker::Worker { version: worker.version + 1, ..worker },
                actor: domain::Actor::Aws,
                at: self.ctx.now(),
            };
            let commit = app::store::Commit { change: Some(change), ..app::store::Commit::default() };
            self.ctx.store.commit(&commit, self.ctx.settings.operation_retention).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_launch_whose_cml_never_answers_is_given_up_after_half_an_hour_and_an_import_is_not() {
    let world = LabWorld::new().await;
    world.without_contact(false).await;
    let operation = world.retire().await;
    for _ in 0..58 {
        world.tick().await;
    }
    let waiting = world.operation(operation.id).await;
    assert!(matches!(waiting.task, Task::RetireWorker(_)), "{waiting:?}");
    assert!(waiting.waiting_for.unwrap().contains("the first contact"));
    let saved = world.saved(operation.id).await;
    assert_eq!(saved.task, Task::TerminateWorker);
    let warnings = saved.result.unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("CML never answered"), "{warnings:?}");

    let world = LabWorld::new().await;
    world.without_contact(true).await;
    let operation = world.retire().await;
    let (code, message) = world.failed(operation.id).await;
    assert_eq!(code, "not_reachable");
    assert!(message.contains("with force and a reason"), "{message}");
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    assert_eq!(worker.desired, DesiredState::Running);
}

#[tokio::test]
async fn an_end_that_fails_takes_its_notice_back_and_says_what_is_saved_and_what_helps() {
    let world = LabWorld::new().await;
    world.booted_lab(0, TWO_NODES).await;
    let before = world.notices().await;
    world
        .order(0, FaultOrder::once(ControllerFault::BadGateway).at("DELETE", "/licensing/deregistration").always())
        .await;
    let operation = world.retire().await;
    for _ in 0..500 {
        world.tick().await;
        if world.operation(operation.id).await.status.is_final() {
            break;
        }
    }
    let ended = world.operation(operation.id).await;
    assert_eq!(ended.status, OperationStatus::Expired, "{ended:?}");
    assert!(ended.error.unwrap().message.contains("with force and a reason"));
    assert!(ended.result.unwrap().detail.unwrap().contains("1 lab was saved before"));
    assert_eq!(world.notices().await, before, "its notice is taken away");

    // Asked again it goes on from what is saved: the lab was stopped and nobody touched it.
    world.controllers.clear_faults(&world.workers[0].1).unwrap();
    let again = world.retire().await;
    assert_ne!(again.id, operation.id);
    let done = world.terminated(again.id).await;
    assert!(done.result.unwrap().detail.unwrap().contains("1 lab was saved before"));
    assert_eq!(world.files.memory.all().len(), 1, "not saved twice");
}

#[tokio::test]
async fn safe_mode_in_the_middle_says_what_was_saved() {
    let mut world = LabWorld::new().await;
    world.booted_lab(0, TWO_NODES).await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).at("PUT", "/labs/*/stop").always()).await;
    let operation = world.retire().await;
    for _ in 0..5 {
        world.tick().await;
    }
    std::sync::Arc::make_mut(&mut world.ctx.settings).safe_mode = true;
    let (code, message) = world.failed(operation.id).await;
    assert_eq!(code, "safe_mode");
    assert!(message.contains("1 lab was saved") && !message.contains("nothing was saved"), "{message}");
}

#[tokio::test]
async fn in_frozen_mode_no_lab_is_stopped_or_deleted_and_no_licence_given_back() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let frozen = app::store::FleetState {
        had_workers: true,
        frozen_since: Some(world.ctx.now()),
        frozen_reason: Some("the list of workers is empty".into()),
    };
    world.ctx.store.save_fleet_state(&frozen).await.unwrap();
    let admin = person(Role::Admin, "ada");
    let mut operations = Vec::new();
    for action in [LabAction::Stop, LabAction::Wipe, LabAction::Delete] {
        let action = act_on_lab(&world.ctx, &asked(&admin), &admin, world.worker(0), &lab, action).await;
        operations.push(action.unwrap().id);
    }
    operations.push(deregister_license(&world.ctx, &asked(&admin), world.worker(0)).await.unwrap().id);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_mins(1));
    let stop = world.operation(operations[0]).await;
    assert!(stop.waiting_for.as_deref().is_some_and(|what| what.contains("frozen mode")), "{stop:?}");
    let deregister = world.operation(operations[3]).await;
    assert!(deregister.waiting_for.as_deref().is_some_and(|what| what.contains("frozen mode")), "{deregister:?}");
    let way = world.way(0).await;
    assert_eq!(world.client.lab_state(way.access(), lab.as_str()).await.unwrap().name(), "STARTED");
    assert!(world.seat_is_taken());
}
