//! Labs are started, stopped, wiped, changed and deleted, and it is seen to be so.

use app::AppError;
use app::ports::{CmlLabs, CmlNodes, CmlState};
use app::use_cases::lab_commands::act_on_lab;
use domain::lab::{LabAction, LabEdit, LabState};
use domain::operation::{Operation, OperationStatus};
use domain::session::Person;
use domain::{LabId, LabOwners, OperationId, Role, SignedDuration};
use local_controllers::{ControllerFault, FaultOrder, POLLER_USERNAME};

use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    async fn ask(&self, who: &Person, lab: &LabId, action: LabAction) -> Result<Operation, AppError> {
        act_on_lab(&self.ctx, &asked(who), who, self.worker(0), lab, action).await
    }

    async fn act(&self, lab: &LabId, action: LabAction) -> OperationId {
        self.ask(&person(Role::Manager, "mia"), lab, action).await.unwrap().id
    }

    async fn stored_state(&self, lab: &LabId) -> Option<LabState> {
        self.ctx.store.lab(self.worker(0), lab).await.unwrap().state
    }

    async fn shown_state(&self, lab: &LabId) -> String {
        self.client.lab_state(self.way(0).await.access(), lab.as_str()).await.unwrap().to_string()
    }
}

fn retitled(title: &str) -> LabAction {
    LabAction::Update(LabEdit { title: Some(title.into()), ..LabEdit::default() })
}

#[tokio::test]
async fn a_lab_is_started_stopped_wiped_changed_and_deleted_and_each_is_over_when_it_is_seen() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let start = world.act(&lab, LabAction::Start).await;
    world.deliver().await;
    let operation = world.operation(start).await;
    assert_eq!(
        (operation.status, operation.waiting_for.as_deref()),
        (OperationStatus::Running, Some("its nodes to boot"))
    );
    let started = world.succeeded(start).await;
    let result = started.result.unwrap();
    assert_eq!((result.lab_id.as_ref(), result.worker_id), (Some(&lab), Some(world.worker(0))));
    assert_eq!(result.warnings, [""; 0]);
    assert!(world.client.lab_converged(world.way(0).await.access(), lab.as_str()).await.unwrap());
    for (action, state) in [
        (LabAction::Start, LabState::Started),
        (LabAction::Stop, LabState::Stopped),
        (LabAction::Wipe, LabState::DefinedOnCore),
        (retitled("BGP for real"), LabState::DefinedOnCore),
    ] {
        let operation = world.act(&lab, action.clone()).await;
        let operation = world.succeeded(operation).await;
        assert!(operation.attempts <= 1, "{action:?} was asked for once at most");
        assert_eq!(world.stored_state(&lab).await, Some(state), "{action:?}");
    }
    assert_eq!(world.ctx.store.lab(world.worker(0), &lab).await.unwrap().title, "BGP for real");
    let delete = world.act(&lab, LabAction::Delete).await;
    world.succeeded(delete).await;
    assert!(matches!(world.ctx.store.lab(world.worker(0), &lab).await, Err(AppError::NotFound { .. })));
    assert_eq!(world.client.lab_ids(world.way(0).await.access()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_cml_refuses_ends_the_operation_in_its_words_and_leaves_the_lab_as_it_was() {
    let world = LabWorld::new().await;
    let lab = world.booted_lab(0, TWO_NODES).await;
    let way = world.way(0).await;
    let wipe = world.client.wipe_lab(way.access(), lab.as_str()).await.unwrap_err();
    let delete = world.client.delete_lab(way.access(), lab.as_str()).await.unwrap_err();
    assert!(delete.message.contains("must be stopped and wiped"), "{delete}");
    for (action, refusal) in [(LabAction::Wipe, wipe), (LabAction::Delete, delete)] {
        let operation = world.act(&lab, action).await;
        assert_eq!(world.failed(operation).await, ("cml_refused".to_owned(), refusal.message));
        assert_eq!(world.shown_state(&lab).await, "STARTED");
        assert_eq!(world.stored_state(&lab).await, Some(LabState::Started));
    }
}

#[tokio::test]
async fn a_controller_that_is_away_is_waited_for_and_a_lost_answer_is_looked_after() {
    for (fault, method, path) in [
        (ControllerFault::BadGateway, "PUT", "/labs/*/start"),
        (ControllerFault::BadGateway, "GET", "/labs/*/state"),
        (ControllerFault::BadGateway, "GET", "/labs/*/check_if_converged"),
        (ControllerFault::AnswerLost, "PUT", "/labs/*/start"),
        (ControllerFault::BrokenJson, "PUT", "/labs/*/start"),
    ] {
        let world = LabWorld::new().await;
        let lab = world.lab(0, TWO_NODES).await;
        let order = FaultOrder::once(fault.clone()).at(method, path).times(5);
        world.order(0, order).await;
        let operation = world.act(&lab, LabAction::Start).await;
        world.deliver().await;
        assert_eq!(world.operation(operation).await.status, OperationStatus::Running, "{fault:?} {path}");
        world.succeeded(operation).await;
        assert_eq!(world.shown_state(&lab).await, "STARTED", "{fault:?} {path}");
    }
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    for (action, method, path) in [(retitled("Again"), "PATCH", "/labs/*"), (LabAction::Delete, "DELETE", "/labs/*")] {
        world.fault(0, ControllerFault::AnswerLost, method, path).await;
        let operation = world.act(&lab, action).await;
        world.succeeded(operation).await;
    }
}

#[tokio::test]
async fn a_start_that_cml_never_shows_ends_at_its_deadline_and_says_what_it_waited_for() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).always().at("PUT", "/labs/*/start")).await;
    let operation = world.act(&lab, LabAction::Start).await;
    let ended = world.ended(operation).await;
    assert_eq!(ended.status, OperationStatus::Expired);
    assert!(ended.error.unwrap().message.contains("PUT /labs/{lab_id}/start"));
}

#[tokio::test]
async fn a_lab_that_is_gone_is_deleted_already_and_cannot_be_started() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    world.client.delete_lab(world.way(0).await.access(), lab.as_str()).await.unwrap();
    let start = world.act(&lab, LabAction::Start).await;
    assert_eq!(world.failed(start).await.0, "lab_not_found");
    // A version without that path says 404 as well, and that is not the lab.
    let there = world.lab(0, TWO_NODES).await;
    world.fault(0, ControllerFault::Absent, "GET", "/labs/*/state").await;
    let delete = world.act(&there, LabAction::Delete).await;
    assert_eq!(world.failed(delete).await.0, "cml_refused");
    assert_eq!(world.shown_state(&there).await, "DEFINED_ON_CORE");
    let delete = world.act(&lab, LabAction::Delete).await;
    assert_eq!(world.succeeded(delete).await.attempts, 0);
}

#[tokio::test]
async fn a_start_that_a_stop_came_after_does_not_undo_it() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let start = world.act(&lab, LabAction::Start).await;
    world.deliver().await;
    assert_eq!(world.operation(start).await.status, OperationStatus::Running);
    let stop = world.act(&lab, LabAction::Stop).await;
    let (code, message) = world.failed(start).await;
    assert_eq!((code.as_str(), message.contains(&stop.to_string())), ("superseded", true), "{message}");
    world.succeeded(stop).await;
    assert_eq!(world.shown_state(&lab).await, "STOPPED");
    // What CML refused stands in nobody's way.
    world.fault(0, ControllerFault::BadGateway, "PUT", "/labs/*/start").await;
    let start = world.act(&lab, LabAction::Start).await;
    world.deliver().await;
    let delete = world.act(&lab, LabAction::Delete).await;
    assert_eq!(world.failed(delete).await.0, "cml_refused");
    world.succeeded(start).await;
    assert_eq!(world.shown_state(&lab).await, "STARTED");
}

#[tokio::test]
async fn an_older_title_is_never_sent_over_a_newer_one() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    world.fault(0, ControllerFault::BadGateway, "PATCH", "/labs/*").await;
    let older = world.act(&lab, retitled("Older")).await;
    world.deliver().await;
    let newer = world.act(&lab, retitled("Newer")).await;
    world.succeeded(newer).await;
    assert_eq!(world.failed(older).await.0, "superseded");
    let shown = world.client.lab(world.way(0).await.access(), lab.as_str()).await.unwrap();
    assert_eq!(shown.title.as_deref(), Some("Newer"));
}

#[tokio::test]
async fn a_start_starts_the_rest_of_a_lab_of_which_a_node_runs_already() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let way = world.way(0).await;
    let node = world.client.nodes(way.access(), lab.as_str()).await.unwrap().remove(0).id;
    world.client.start_node(way.access(), lab.as_str(), &node).await.unwrap();
    assert_eq!(world.shown_state(&lab).await, "STARTED");
    let start = world.act(&lab, LabAction::Start).await;
    world.succeeded(start).await;
    let nodes = world.client.nodes(way.access(), lab.as_str()).await.unwrap();
    assert!(nodes.iter().all(|node| node.state == Some(CmlState::Booted)), "{nodes:?}");
}

#[tokio::test]
async fn a_lab_that_cml_does_not_find_when_it_is_deleted_is_looked_for_once_more() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let not_found = ControllerFault::Refuses { status: 404, description: format!("Lab not found: {lab}") };
    world.fault(0, not_found, "DELETE", "/labs/*").await;
    let delete = world.act(&lab, LabAction::Delete).await;
    assert_eq!(world.succeeded(delete).await.attempts, 2);
    assert_eq!(world.client.lab_ids(world.way(0).await.access()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_deleted_lab_is_not_brought_back_by_a_reading_that_began_before() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let read_before = world.ctx.store.lab(world.worker(0), &lab).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(1));
    let delete = world.act(&lab, LabAction::Delete).await;
    world.succeeded(delete).await;
    world.ctx.store.save_lab(&read_before).await.unwrap();
    let known = world.ctx.store.lab(world.worker(0), &lab).await;
    assert!(matches!(known, Err(AppError::NotFound { .. })), "{known:?}");
    assert_eq!(world.ctx.store.list_labs(50, None).await.unwrap().items, []);
    // Nor does it write over what was seen since.
    let other = world.lab(0, TWO_NODES).await;
    let read_before = world.ctx.store.lab(world.worker(0), &other).await.unwrap();
    let newer = world.act(&other, retitled("Newer")).await;
    world.clock.advance(SignedDuration::from_secs(1));
    world.succeeded(newer).await;
    world.ctx.store.save_lab(&read_before).await.unwrap();
    assert_eq!(world.ctx.store.lab(world.worker(0), &other).await.unwrap().title, "Newer");
}

#[tokio::test]
async fn a_lab_beyond_the_licence_is_warned_of_before_its_start_and_cml_judges_it() {
    let world = LabWorld::new().await;
    let large: LabId = world.controllers.seed_lab(&world.workers[0].1, "Large", 121, false).unwrap().parse().unwrap();
    world.read_labs(0).await;
    let operation = world.act(&large, LabAction::Start).await;
    let ended = world.ended(operation).await;
    assert_eq!(ended.error.as_ref().unwrap().code, "cml_refused");
    assert!(ended.error.unwrap().message.contains("exceeds the licensed limit of 120 nodes"));
    let warnings = ended.result.unwrap().warnings;
    let said = "The lab has 121 nodes and 0 run already, but the licence (CML_Enterprise) lets 120 run: CML may refuse \
                some of them.";
    assert_eq!(warnings, [said]);
}

#[tokio::test]
async fn safe_mode_changes_nothing_at_the_controller() {
    let world = LabWorld::with(|settings| settings.safe_mode = true).await;
    let lab = world.lab(0, TWO_NODES).await;
    for action in [LabAction::Start, LabAction::Delete, retitled("Other")] {
        let operation = world.act(&lab, action).await;
        let (code, message) = world.failed(operation).await;
        assert_eq!(code, "safe_mode", "{message}");
    }
    let shown = world.client.lab(world.way(0).await.access(), lab.as_str()).await.unwrap();
    assert_eq!((shown.title.as_deref(), shown.state.unwrap().name()), (Some("BGP basics"), "DEFINED_ON_CORE"));
}

#[tokio::test]
async fn users_act_on_their_own_labs_and_managers_on_all() {
    let table = |pairs: &str| pairs.parse::<LabOwners>().unwrap();
    for (owners, who, allowed) in [
        (LabOwners::SameName, person(Role::User, POLLER_USERNAME), true),
        (LabOwners::SameName, person(Role::User, "ada"), false),
        (LabOwners::SameName, person(Role::Manager, "mia"), true),
        (LabOwners::Nobody, person(Role::User, POLLER_USERNAME), false),
        (LabOwners::Nobody, person(Role::Admin, "root"), true),
        (table(&format!("{POLLER_USERNAME}=ada")), person(Role::User, "ada"), true),
        (table(&format!("{POLLER_USERNAME}=ada")), person(Role::User, POLLER_USERNAME), false),
    ] {
        let world = LabWorld::with(|settings| settings.lab_owners = owners.clone()).await;
        let lab = world.lab(0, TWO_NODES).await;
        for action in [LabAction::Start, LabAction::Stop, LabAction::Wipe, LabAction::Delete, retitled("Mine")] {
            let asked = world.ask(&who, &lab, action.clone()).await;
            let what = format!("{} {action:?} under {owners:?}: {asked:?}", who.username);
            match asked {
                Ok(_) => assert!(allowed, "{what}"),
                Err(error) => assert!(!allowed && matches!(error, AppError::NotTheirLab(_)), "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn what_can_be_judged_is_refused_at_once() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    let manager = person(Role::Manager, "mia");
    let refused = world.ask(&manager, &lab, retitled("")).await;
    assert!(matches!(refused, Err(AppError::Invalid(_))), "{refused:?}");
    let unknown: LabId = "00000000-0000-4000-8000-0000000fffff".parse().unwrap();
    let refused = world.ask(&manager, &unknown, LabAction::Start).await;
    assert!(matches!(refused, Err(AppError::NotFound { kind: "lab", .. })), "{refused:?}");
    assert_eq!(world.queues.take(), []);
}
