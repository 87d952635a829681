//! A safe end that somebody takes back: the worker stays, and what was done for the end is undone as far as it can be.

use app::AppError;
use app::ports::CmlLabs;
use app::store::{EndingChange, EndingStage};
use app::use_cases::reconcile_commands::set_desired_state;
use app::use_cases::retire_worker::terminate_by_force;
use app::use_cases::run_cml_operation::run_cml_operation;
use app::use_cases::worker_commands::start_worker;
use domain::decision::Action;
use domain::lab::LabAction;
use domain::operation::{Operation, OperationStatus, Task};
use domain::worker::{DesiredState, WorkerStatus};
use domain::{Role, SignedDuration};
use local_controllers::{ControllerFault, FaultOrder};

use super::retiring::STEPS;
use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    /// An admin wants it otherwise.
    async fn take_back(&self, desired: DesiredState) -> Result<Operation, AppError> {
        let admin = asked(&person(Role::Admin, "ada"));
        set_desired_state(&self.ctx, &admin, self.worker(0), desired, true).await
    }
}

#[tokio::test]
async fn what_an_end_stopped_runs_again_when_an_admin_takes_it_back_and_nobody_else_does() {
    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    let before = world.ctx.store.worker(world.worker(0)).await.unwrap();
    let ending = world.held_at_the_licence().await;
    assert_eq!((world.shows(&lab).await.as_str(), world.notices().await), ("STOPPED", 1));
    let manager = asked(&person(Role::Manager, "mia"));
    for refused in [
        start_worker(&world.ctx, &manager, world.worker(0)).await,
        set_desired_state(&world.ctx, &manager, world.worker(0), DesiredState::Stopped, false).await,
    ] {
        let Err(AppError::Conflict(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains(&ending.id.to_string()) && why.contains("an admin may still take back"), "{why}");
    }

    let back = world.take_back(DesiredState::Running).await.unwrap();
    assert_eq!(back.task, Task::StartWorker);
    let (code, message) = world.failed(ending.id).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("superseded", "It was taken back: the worker was wanted otherwise.")
    );
    let ended = world.operation(ending.id).await;
    let result = ended.result.unwrap();
    assert!(result.warnings.iter().any(|one| one.starts_with("1 of its labs were stopped.")), "{:?}", result.warnings);
    assert!(result.detail.unwrap().starts_with("1 lab was saved before"));
    assert_eq!(world.notices().await, 0);
    let after = world.ctx.store.worker(world.worker(0)).await.unwrap();
    assert_eq!((after.desired, &after.state_reason), (DesiredState::Running, &before.state_reason));

    // Nobody stopped it by hand: it is started at once.
    world.well_again();
    world.read_labs(0).await;
    let begun = world.begun(&lab).await;
    assert_eq!(begun.len(), 1, "{:?}", world.decided(&lab).await);
    assert!(world.decided(&lab).await.1.ends_with("It was stopped for the end of its worker, which did not come."));
    world.succeeded(begun[0].id).await;
    assert_eq!(world.shows(&lab).await, "STARTED");
    // Who stops it now, soon after, is a person.
    world.read_labs(0).await;
    let way = world.way(0).await;
    world.client.stop_lab(way.access(), lab.as_str()).await.unwrap();
    world.until(async || world.shows(&lab).await == "STOPPED").await;
    world.read_labs(0).await;
    assert_eq!(world.decided(&lab).await.0, Action::Wait, "{:?}", world.decided(&lab).await);
    world.wish(&lab, LabAction::Stop).await;
}

#[tokio::test]
async fn a_lab_that_still_comes_down_after_its_end_was_taken_back_is_not_taken_for_started_since() {
    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    let ending = world.held_at_the_licence().await;
    world.take_back(DesiredState::Running).await.unwrap();
    world.failed(ending.id).await;
    let before = world.stored_wish(&lab).await.as_wished_at;
    // It shows started once more.
    let way = world.way(0).await;
    world.client.start_lab(way.access(), lab.as_str()).await.unwrap();
    world.read_labs(0).await;
    assert_eq!((world.decided(&lab).await.0, world.stored_wish(&lab).await.as_wished_at), (Action::None, before));
    world.client.stop_lab(way.access(), lab.as_str()).await.unwrap();
    world.until(async || world.shows(&lab).await == "STOPPED").await;
    world.read_labs(0).await;
    assert_eq!(world.decided(&lab).await.0, Action::Start);
}

#[tokio::test]
async fn an_end_can_be_taken_back_at_every_step_and_asked_for_anew_before_it_has_heard_of_that() {
    for (method, path) in STEPS {
        let what = format!("{method} {path}");
        let world = LabWorld::new().await;
        world.booted_lab(0, TWO_NODES).await;
        world.order(0, FaultOrder::once(ControllerFault::BadGateway).at(method, path).always()).await;
        let ending = world.retire().await;
        for _ in 0..3 {
            world.tick().await;
        }
        world.take_back(DesiredState::Running).await.unwrap();
        let anew = world.retire().await;
        assert_ne!(anew.id, ending.id, "{what}");
        world.well_again();
        assert_eq!(world.failed(ending.id).await.0, "superseded", "{what}");
        let done = world.terminated(anew.id).await;
        assert_eq!(done.status, OperationStatus::Succeeded, "{what}: {done:?}");
        let late = world.take_back(DesiredState::Running).await;
        assert!(matches!(late, Err(AppError::Conflict(_))), "{what}: {late:?}");
    }
}

#[tokio::test]
async fn the_notice_of_an_end_stays_where_another_was_begun_since() {
    let world = LabWorld::new().await;
    world.booted_lab(0, TWO_NODES).await;
    let ending = world.held_at_the_licence().await;
    world.take_back(DesiredState::Running).await.unwrap();
    world.retire().await;
    assert_eq!(world.failed(ending.id).await.0, "superseded");
    assert_eq!(world.notices().await, 1);
}

#[tokio::test]
async fn of_a_worker_that_is_handed_over_and_one_that_is_taken_back_at_the_same_moment_one_comes_first() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    let ending = world.held_at_the_licence().await;
    let (id, store) = (world.worker(0), &world.ctx.store);
    let read = store.ending(id).await.unwrap().unwrap();
    world.take_back(DesiredState::Stopped).await.unwrap();
    let handed_over = app::store::Ending { stage: EndingStage::HandedOver, ..read };
    let ending_change = Some(EndingChange::Is(id, handed_over));
    let commit = app::store::Commit { ending: ending_change, ..app::store::Commit::default() };
    let late = store.commit(&commit, SignedDuration::from_hours(1)).await;
    assert!(matches!(late, Err(app::store::CommitError::WorkerChanged)), "{late:?}");
    assert_eq!(store.worker(id).await.unwrap().desired, DesiredState::Stopped);
    // Who wants it gone by force is served all the same, and both operations end as one.
    let admin = asked(&person(Role::Admin, "ada"));
    terminate_by_force(&world.ctx, &admin, id, "the disk is broken").await.unwrap();
    assert_eq!(world.terminated(ending.id).await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn what_one_end_stopped_is_known_to_the_next_until_it_runs_again() {
    let world = LabWorld::new().await;
    let lab = world.wished_lab().await;
    let ending = world.held_at_the_licence().await;
    world.take_back(DesiredState::Running).await.unwrap();
    world.failed(ending.id).await;
    let again = world.held_at_the_licence().await;
    // Read while it is stopped, and being ended.
    world.read_labs(0).await;
    world.take_back(DesiredState::Running).await.unwrap();
    world.failed(again.id).await;
    world.well_again();
    world.read_labs(0).await;
    let begun = world.begun(&lab).await;
    assert_eq!(begun.len(), 1, "{:?}", world.decided(&lab).await);
    world.succeeded(begun[0].id).await;
    world.clock.advance(SignedDuration::from_mins(6));
    world.read_labs(0).await;
    // Whoever stops it now stops it by hand.
    let third = world.retire().await;
    assert!(matches!(&third.task, Task::RetireWorker(task) if task.stopped.is_empty()), "{third:?}");
}

#[tokio::test]
async fn what_a_run_does_while_another_hears_that_it_was_taken_back_is_told() {
    let world = LabWorld::new().await;
    world.booted_lab(0, TWO_NODES).await;
    let ending = world.held_at_the_licence().await;
    world.well_again();
    let slow = FaultOrder::once(ControllerFault::Slow(500)).at("DELETE", "/licensing/deregistration");
    world.order(0, slow).await;
    let run = || run_cml_operation(&world.ctx, world.ports(), ending.id);
    // Polled once the first waits for its controller.
    let other = async {
        world.take_back(DesiredState::Running).await.unwrap();
        run().await.unwrap();
    };
    let (first, ()) = futures::join!(run(), other);
    first.unwrap();
    let ended = world.operation(ending.id).await;
    assert_eq!(ended.error.as_ref().unwrap().code, "superseded");
    let warnings = ended.result.unwrap().warnings;
    assert!(warnings.iter().any(|one| one.starts_with("Its licence was given back already")), "{warnings:?}");
    assert!(!world.seat_is_taken());
}

#[tokio::test]
async fn a_worker_that_is_terminated_by_hand_while_it_is_being_ended_is_wished_gone_all_the_same() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    let ending = world.held_at_the_licence().await;
    world.show(WorkerStatus::Terminated).await;
    let done = world.terminated(ending.id).await;
    assert_eq!(done.status, OperationStatus::Succeeded);
    let warnings = done.result.unwrap().warnings;
    assert!(warnings.iter().any(|one| one.starts_with("Its instance was gone before")), "{warnings:?}");
    assert_eq!(world.ctx.store.worker(world.worker(0)).await.unwrap().desired, DesiredState::Terminated);
}
