//! What may be ended at once, and what is accepted on a worker that is about to end: nothing that would be lost.

use app::AppError;
use app::message::CollectCml;
use app::ports::{Cml, CmlLabs, CmlLicensing, CmlNodes};
use app::store::{CmlReadings, PowerDue};
use app::use_cases::collect_cml::collect_cml;
use app::use_cases::control_power::Judgement;
use app::use_cases::lab_commands::{act_on_lab, refresh_labs};
use app::use_cases::license_commands::renew_license;
use app::use_cases::reconcile_commands::set_desired_state;
use app::use_cases::retire_worker::terminate_by_force;
use domain::lab::LabAction;
use domain::operation::{Operation, OperationStatus, Task};
use domain::worker::{DesiredState, WorkerEvent, WorkerStatus};
use domain::{Role, SignedDuration};
use local_controllers::ControllerFault;

use super::world::{LabWorld, TWO_NODES, asked, person};
use crate::handlers::world::cloud;

impl LabWorld {
    /// Its first controller is read, as the schedule does.
    async fn read(&self) -> CmlReadings {
        let message = CollectCml { worker_ids: vec![self.worker(0)] };
        let cml: &dyn Cml = self.client.as_ref();
        collect_cml(&self.ctx, cml, self.secrets.as_ref(), &message).await.unwrap();
        self.ctx.store.latest(self.worker(0)).await.unwrap().unwrap()
    }

    async fn desired(&self) -> DesiredState {
        self.ctx.store.worker(self.worker(0)).await.unwrap().desired
    }

    /// What control-power starts of itself when the worker is due.
    async fn judged(&self) -> Vec<Operation> {
        let id = self.worker(0);
        let before = self.ctx.store.list_operations(Some(id), 50, None).await.unwrap().items;
        let due = self.ctx.store.power(id).await.unwrap();
        self.ctx.store.save_power(&PowerDue::hurried(id, due, self.ctx.now())).await.unwrap();
        let cloud = cloud(self.clock.clone());
        let judgement = Judgement::look(&self.ctx, self.ec2_ports(&cloud), &[id]).await.unwrap();
        judgement.judge(id).await.unwrap();
        let after = self.ctx.store.list_operations(Some(id), 50, None).await.unwrap().items;
        after.into_iter().filter(|one| before.iter().all(|other| other.id != one.id)).collect()
    }

    /// It is wished gone, and nothing else is known of it.
    async fn wish_gone(&self) {
        let from = self.desired().await;
        let to = DesiredState::Terminated;
        self.happen(vec![WorkerEvent::DesiredChanged { from, to, reason: "Terminated by ada.".into() }]).await;
    }

    /// The safe end is at its last step and cannot take it.
    pub(super) async fn held_at_the_licence(&self) -> Operation {
        let order = local_controllers::FaultOrder::once(ControllerFault::BadGateway);
        self.order(0, order.at("DELETE", "/licensing/deregistration").always()).await;
        let operation = self.retire().await;
        self.deliver().await;
        for _ in 0..100 {
            let now = self.operation(operation.id).await;
            if now.waiting_for.as_deref().is_some_and(|what| what.contains("deregistration")) {
                return now;
            }
            self.tick().await;
        }
        panic!("it never comes so far: {:?}", self.operation(operation.id).await);
    }

    pub(super) fn well_again(&self) {
        self.controllers.clear_faults(&self.workers[0].1).unwrap();
    }
}

#[tokio::test]
async fn a_machine_that_was_never_read_is_not_taken_for_empty() {
    let world = LabWorld::new().await;
    world.show(WorkerStatus::Stopped).await;
    let operation = world.retire().await;
    let (code, message) = world.failed(operation.id).await;
    assert_eq!(code, "not_running");
    assert!(message.contains("Start it first.") && message.contains("with force and a reason"), "{message}");
    assert_eq!(world.desired().await, DesiredState::Running);
}

#[tokio::test]
async fn a_machine_that_was_read_without_labs_and_licence_is_terminated_at_once_and_another_one_is_not() {
    let world = LabWorld::new().await;
    world.show(WorkerStatus::Running).await;
    world.client.deregister(world.way(0).await.access()).await.unwrap();
    let read = world.read().await;
    assert_eq!((read.cml.labs, read.instance_id.as_deref()), (Some(0), Some(world.workers[0].1.as_str())));
    world.show(WorkerStatus::Stopped).await;
    assert_eq!(world.retire().await.task, Task::TerminateWorker);

    let world = LabWorld::new().await;
    world.show(WorkerStatus::Running).await;
    world.read().await;
    world.show(WorkerStatus::Stopped).await;
    assert!(matches!(world.retire().await.task, Task::RetireWorker(_)), "its licence was read");
}

#[tokio::test]
async fn a_machine_that_comes_up_again_or_ran_on_unread_is_not_taken_for_empty() {
    for (unread_minutes, status) in [(0, WorkerStatus::Starting), (20, WorkerStatus::Stopped)] {
        let world = LabWorld::new().await;
        world.show(WorkerStatus::Running).await;
        world.client.deregister(world.way(0).await.access()).await.unwrap();
        assert_eq!(world.read().await.cml.labs, Some(0));
        world.clock.advance(SignedDuration::from_mins(unread_minutes));
        world.show(WorkerStatus::Stopped).await;
        world.show(status).await;
        assert!(matches!(world.retire().await.task, Task::RetireWorker(_)), "{status:?}");
    }
}

#[tokio::test]
async fn a_part_of_a_reading_that_fails_leaves_what_was_read_before() {
    let world = LabWorld::new().await;
    world.show(WorkerStatus::Running).await;
    world.lab(0, TWO_NODES).await;
    let before = world.read().await;
    assert!(before.cml.license.is_some() && before.cml.labs == Some(1));
    for path in ["/licensing", "/labs"] {
        let order = local_controllers::FaultOrder::once(ControllerFault::BadGateway);
        world.order(0, order.at("GET", path).always()).await;
    }
    world.clock.advance(SignedDuration::from_mins(5));
    let after = world.read().await;
    assert_eq!(after.errors.len(), 2, "{:?}", after.errors);
    assert_eq!((after.cml.license, after.cml.labs), (before.cml.license, before.cml.labs));
    assert_eq!(after.license_at, before.license_at);
}

#[tokio::test]
async fn a_worker_that_comes_up_is_waited_for_and_saved() {
    for status in [WorkerStatus::Provisioning, WorkerStatus::Starting] {
        let world = LabWorld::new().await;
        world.booted_lab(0, TWO_NODES).await;
        world.show(status).await;
        let operation = world.retire().await;
        world.deliver().await;
        let waiting = world.operation(operation.id).await;
        assert!(waiting.waiting_for.as_deref().is_some_and(|what| what.contains("to run")), "{waiting:?}");
        world.show(WorkerStatus::Running).await;
        let done = world.terminated(operation.id).await;
        assert!(done.result.unwrap().detail.unwrap().contains("1 lab was saved"));
    }
}

#[tokio::test]
async fn nothing_is_accepted_or_begun_on_a_worker_that_is_about_to_end() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let admin = person(Role::Admin, "ada");
    let accepted = act_on_lab(&world.ctx, &asked(&admin), &admin, world.worker(0), &lab, LabAction::Stop).await;
    let earlier = accepted.unwrap();
    world.queues.take();
    let operation = world.retire().await;
    let refused = |result: Result<Operation, AppError>| match result {
        Err(AppError::Conflict(why)) => why,
        other => panic!("{other:?}"),
    };
    let why = refused(act_on_lab(&world.ctx, &asked(&admin), &admin, world.worker(0), &lab, LabAction::Start).await);
    assert!(why.contains(&operation.id.to_string()), "{why}");
    refused(renew_license(&world.ctx, &asked(&admin), world.worker(0)).await);
    world.queues.take();
    // What was accepted before the end was asked for ends when it begins.
    app::use_cases::run_cml_operation::run_cml_operation(&world.ctx, world.ports(), earlier.id).await.unwrap();
    assert_eq!(world.operation(earlier.id).await.error.unwrap().code, "worker_ending");
    assert_eq!(world.terminated(operation.id).await.status, OperationStatus::Succeeded);

    let world = LabWorld::new().await;
    world.wish_gone().await;
    refused(refresh_labs(&world.ctx, &asked(&admin), world.worker(0)).await);
}

#[tokio::test]
async fn an_end_under_way_is_told_in_power_and_no_other_wish_overtakes_it() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    let operation = world.held_at_the_licence().await;
    let id = operation.id.to_string();
    for desired in [DesiredState::Running, DesiredState::Stopped] {
        let manager = asked(&person(Role::Manager, "mia"));
        let refused = set_desired_state(&world.ctx, &manager, world.worker(0), desired, false).await;
        let Err(AppError::Conflict(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains(&id), "{why}");
    }
    assert_eq!(world.judged().await, []);
    let (_, told) = world.ctx.store.power(world.worker(0)).await.unwrap().unwrap().decided.unwrap();
    assert!(told.reason.contains(&id) && told.reason.contains("deregistration"), "{}", told.reason);
    world.well_again();
    assert_eq!(world.terminated(operation.id).await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn an_end_under_way_is_found_behind_any_number_of_newer_operations() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    let operation = world.retire().await;
    for _ in 0..25 {
        world.clock.advance(SignedDuration::from_secs(1));
        let admin = asked(&person(Role::Admin, "ada"));
        let update = app::use_cases::refresh_worker::refresh_worker(&world.ctx, &admin, world.worker(0)).await;
        update.unwrap();
        world.clock.advance(SignedDuration::from_secs(60));
    }
    assert_eq!(world.retire().await.id, operation.id);
}

#[tokio::test]
async fn what_is_made_or_started_at_the_last_step_is_saved_and_stopped() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let operation = world.held_at_the_licence().await;
    let way = world.way(0).await;
    let new = world.client.import_lab(way.access(), TWO_NODES, Some("made late")).await.unwrap();
    let node = world.client.nodes(way.access(), lab.as_str()).await.unwrap().remove(0).id;
    world.client.start_node(way.access(), lab.as_str(), &node).await.unwrap();
    world.well_again();
    let done = world.terminated(operation.id).await;
    assert_eq!(done.status, OperationStatus::Succeeded, "{done:?}");
    assert!(done.result.unwrap().detail.unwrap().contains("2 labs were saved before"));
    let state = world.client.lab_state(way.access(), lab.as_str()).await.unwrap();
    assert_eq!(state.name(), "STOPPED");
    let newest = world.ctx.store.all_backups_of(world.worker(0), &new.id.parse().unwrap()).await.unwrap();
    assert_eq!(newest.len(), 1);
    assert!(!world.seat_is_taken());
}

#[tokio::test]
async fn a_lab_changed_after_it_was_saved_is_saved_again() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let operation = world.held_at_the_licence().await;
    let way = world.way(0).await;
    let change = app::ports::LabChange { notes: Some("hours of work"), ..app::ports::LabChange::default() };
    world.client.update_lab(way.access(), lab.as_str(), change).await.unwrap();
    world.well_again();
    let done = world.terminated(operation.id).await;
    assert!(done.result.unwrap().detail.unwrap().contains("1 lab was saved before"));
    let backups = world.ctx.store.all_backups_of(world.worker(0), &lab).await.unwrap();
    assert_eq!(backups.len(), 2);
    let newest = world.files.memory.all().get(&backups[0].file_key()).cloned().unwrap();
    assert!(String::from_utf8(newest).unwrap().contains("hours of work"));
}

#[tokio::test]
async fn what_is_wanted_gone_and_was_never_saved_goes_the_safe_way_and_what_was_given_up_does_not() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    world.wish_gone().await;
    let started = world.judged().await;
    assert_eq!(started.len(), 1);
    assert!(matches!(started[0].task, Task::RetireWorker(_)), "{started:?}");
    let done = world.terminated(started[0].id).await;
    assert!(done.result.unwrap().detail.unwrap().contains("1 lab was saved"));

    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    let admin = asked(&person(Role::Admin, "ada"));
    let forced = terminate_by_force(&world.ctx, &admin, world.worker(0), "broken").await.unwrap();
    let mut failed = world.operation(forced.id).await;
    failed.fail("OperationNotPermitted", "It is protected.", world.ctx.now());
    let retention = world.ctx.settings.operation_retention;
    assert!(world.ctx.store.save_operation(&mut failed, world.ctx.now(), retention).await.unwrap());
    assert_eq!(world.judged().await, [], "not in haste");
    world.clock.advance(world.ctx.settings.reconcile.backoff_most);
    let started = world.judged().await;
    assert_eq!(started.iter().map(|one| &one.task).collect::<Vec<_>>(), [&Task::TerminateWorker]);
}
