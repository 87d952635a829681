//! Topologies become labs, each once, whatever is lost on the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use app::message::CollectLabs;
use app::ports::{CmlLabs, LabChange};
use app::topology::TopologyFormat;
use app::use_cases::collect_labs::collect_labs;
use app::use_cases::import_lab::{SentTopology, import_lab};
use app::{AppError, Context, Settings};
use domain::operation::{Operation, OperationStatus};
use domain::worker::{Change, WorkerEvent, WorkerStatus};
use domain::{Actor, OperationId, Role};
use local_controllers::{ControllerFault, FaultOrder};

use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    async fn send(&self, text: &str, title: Option<&str>) -> Result<Operation, AppError> {
        let sent = SentTopology { text, format: TopologyFormat::Yaml, title };
        let manager = asked(&person(Role::Manager, "mia"));
        import_lab(&self.ctx, self.files.as_ref(), &manager, self.worker(0), sent).await
    }

    async fn import(&self, text: &str, title: Option<&str>) -> OperationId {
        self.send(text, title).await.unwrap().id
    }

    /// The titles of the labs that the controller has.
    async fn titles(&self) -> Vec<String> {
        let listing = self.client.labs(self.way(0).await.access()).await.unwrap();
        listing.labs.into_iter().map(|lab| lab.title.unwrap()).collect()
    }

    /// An import that made its lab, which never gets its title.
    async fn import_without_title(&self) -> OperationId {
        self.order(0, FaultOrder::once(ControllerFault::BadGateway).always().at("PATCH", "/labs/*")).await;
        let operation = self.import(TWO_NODES, Some("Wanted")).await;
        self.deliver().await;
        assert_eq!(self.titles().await, [format!("ccm-import {operation}")]);
        operation
    }

    fn faults_cleared(&self) {
        self.controllers.clear_faults(&self.workers[0].1).unwrap();
    }

    async fn worker_shows(&self, to: WorkerStatus) {
        let worker = self.ctx.store.worker(self.worker(0)).await.unwrap();
        let running_since = (to == WorkerStatus::Running).then(|| self.ctx.now());
        let event = WorkerEvent::StatusChanged { from: worker.status, to, detail: None, reason: None, running_since };
        let change = Change::of(&worker, vec![event], Actor::Aws, self.ctx.now());
        let commit = app::store::Commit { change, ..app::store::Commit::default() };
        self.ctx.store.commit(&commit, self.ctx.settings.operation_retention).await.unwrap();
    }

    fn files_kept(&self) -> Vec<String> {
        self.files.memory.all().into_keys().collect()
    }
}

#[tokio::test]
async fn a_topology_becomes_a_lab_with_its_title_and_its_file_goes() {
    let world = LabWorld::new().await;
    let operation = world.import(TWO_NODES, None).await;
    assert_eq!(world.files_kept().len(), 1);
    let operation = world.succeeded(operation).await;
    let result = operation.result.unwrap();
    let lab = result.lab_id.unwrap();
    assert_eq!((operation.attempts, result.worker_id, result.warnings.len()), (1, Some(world.worker(0)), 0));
    let stored = world.ctx.store.lab(world.worker(0), &lab).await.unwrap();
    assert_eq!((stored.title.as_str(), stored.node_count, stored.link_count), ("BGP basics", Some(2), Some(1)));
    let named = world.import(TWO_NODES, Some("Another one")).await;
    world.succeeded(named).await;
    let untitled = world.import("lab: {version: 0.3.0}\nnodes: []\nlinks: []\n", None).await;
    world.succeeded(untitled).await;
    let mut titles = world.titles().await;
    titles.sort();
    assert_eq!(titles, ["Another one", "BGP basics", "Imported on 2026-03-02 at 09:00 UTC"]);
    assert_eq!(world.files_kept(), [""; 0]);
}

#[tokio::test]
async fn whatever_is_lost_on_the_way_there_is_exactly_one_lab() {
    use ControllerFault::{AnswerLost, BadGateway, BrokenJson, EndlessBody, TokensRevoked};
    let calls = [("POST", "/import"), ("PATCH", "/labs/*"), ("GET", "/labs/*"), ("GET", "/labs")];
    let faults = [AnswerLost, BadGateway, BrokenJson, EndlessBody];
    for (method, path) in calls {
        for fault in &faults {
            let world = LabWorld::new().await;
            // The listing is asked for only when an answer was lost.
            if path == "/labs" {
                world.fault(0, AnswerLost, "POST", "/import").await;
            }
            world.fault(0, fault.clone(), method, path).await;
            let operation = world.import(TWO_NODES, None).await;
            let operation = world.succeeded(operation).await;
            assert_eq!(world.titles().await, ["BGP basics"], "{fault:?} at {method} {path}: {operation:?}");
            assert_eq!(world.files_kept(), [""; 0], "{fault:?} at {method} {path}");
        }
    }
    let world = LabWorld::new().await;
    world.order(0, FaultOrder::once(TokensRevoked)).await;
    let operation = world.import(TWO_NODES, None).await;
    world.succeeded(operation).await;
    assert_eq!(world.titles().await, ["BGP basics"]);
}

#[tokio::test]
async fn a_table_that_fails_and_messages_that_come_twice_make_no_second_lab() {
    for writes in 0..6 {
        let world = LabWorld::new().await;
        let operation = world.import(TWO_NODES, None).await;
        world.table.fail_writes_after(writes);
        for _ in 0..3 {
            let sent = world.queues.take();
            world.queues.put_back(sent.iter().chain(&sent).cloned().collect());
            world.tick().await;
        }
        world.table.heal();
        world.succeeded(operation).await;
        assert_eq!(world.titles().await, ["BGP basics"], "after {writes} writes");
    }
}

#[tokio::test]
async fn an_import_that_reached_nobody_is_made_again_once_the_lab_cannot_appear_any_more() {
    let world = LabWorld::new().await;
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).at("POST", "/import").times(2)).await;
    let operation = world.import(TWO_NODES, None).await;
    let operation = world.succeeded(operation).await;
    assert_eq!(operation.attempts, 3);
    let took = operation.finished_at.unwrap().duration_since(operation.requested_at);
    assert!(took.as_secs() >= 240, "two minutes were waited each time: {took}");
    assert_eq!(world.titles().await, ["BGP basics"]);
}

#[tokio::test]
async fn what_is_wrong_is_told_at_once_or_in_cmls_words_and_nothing_is_left() {
    let world = LabWorld::new().await;
    let broken = world.send("lab: [\nnodes: ", None).await;
    assert!(matches!(&broken, Err(AppError::Invalid(fields)) if fields.0[0].message.contains("line 3")), "{broken:?}");
    let long = "x".repeat(65);
    assert!(matches!(world.send(TWO_NODES, Some(&long)).await, Err(AppError::Invalid(_))));
    assert_eq!((world.files_kept(), world.queues.take()), (vec![], vec![]), "nothing was begun");

    let unknown = TWO_NODES.replace("iosv", "iosvv");
    let way = world.way(0).await;
    let refusal = world.client.import_lab(way.access(), &unknown, None).await.unwrap_err();
    let operation = world.import(&unknown, None).await;
    assert_eq!(world.failed(operation).await, ("cml_refused".to_owned(), refusal.message));
    assert_eq!((world.titles().await, world.files_kept()), (vec![], vec![]));
}

#[tokio::test]
async fn a_topology_that_cannot_be_kept_starts_nothing_and_one_that_is_lost_says_so() {
    let world = LabWorld::new().await;
    world.files.refuse_puts.store(1, Ordering::SeqCst);
    assert!(matches!(world.send(TWO_NODES, None).await, Err(AppError::Unavailable(_))));
    assert_eq!(world.queues.take(), []);
    let operation = world.import(TWO_NODES, None).await;
    for key in world.files_kept() {
        app::ports::Files::delete(&world.files.memory, &key).await.unwrap();
    }
    assert_eq!(world.failed(operation).await.0, "topology_gone");

    let safe = LabWorld::with(|settings| settings.safe_mode = true).await;
    let operation = safe.import(TWO_NODES, None).await;
    assert_eq!(safe.failed(operation).await.0, "safe_mode");
    assert_eq!((safe.titles().await, safe.files_kept()), (vec![], vec![]));
}

#[tokio::test]
async fn an_import_that_was_begun_is_finished_when_its_worker_runs_again() {
    let world = LabWorld::new().await;
    let operation = world.import_without_title().await;
    world.worker_shows(WorkerStatus::Stopped).await;
    for _ in 0..5 {
        world.tick().await;
    }
    let waiting = world.operation(operation).await;
    assert_eq!(waiting.status, OperationStatus::Running, "{waiting:?}");
    assert!(waiting.waiting_for.unwrap().starts_with("the worker to run again"));
    world.faults_cleared();
    world.worker_shows(WorkerStatus::Running).await;
    world.succeeded(operation).await;
    assert_eq!(world.titles().await, ["Wanted"]);
    // One that was not begun has nothing to finish.
    let operation = world.import(TWO_NODES, None).await;
    world.worker_shows(WorkerStatus::Stopped).await;
    assert_eq!(world.failed(operation).await.0, "not_running");
}

#[tokio::test]
async fn what_an_import_leaves_that_never_ends_well_is_told_and_then_deleted() {
    let world = LabWorld::new().await;
    let operation = world.import_without_title().await;
    world.read_labs(0).await;
    assert_eq!(world.titles().await.len(), 1, "it is under way");
    let ended = world.ended(operation).await;
    let left = world.client.lab_ids(world.way(0).await.access()).await.unwrap().remove(0);
    assert_eq!(ended.status, OperationStatus::Expired);
    assert_eq!(ended.result.unwrap().lab_id.unwrap().as_str(), left);
    world.read_labs(0).await;
    assert_eq!(world.titles().await, [""; 0]);
    let known = world.ctx.store.all_worker_labs(world.worker(0)).await.unwrap();
    assert!(known.iter().all(|lab| lab.missing_since.is_some()), "{known:?}");
}

#[tokio::test]
async fn what_somebody_worked_on_gets_its_title_and_what_is_not_ours_is_left_alone() {
    let world = LabWorld::new().await;
    let operation = world.import_without_title().await;
    world.ended(operation).await;
    world.faults_cleared();
    let way = world.way(0).await;
    let left = world.client.lab_ids(way.access()).await.unwrap().remove(0);
    let notes = LabChange { notes: Some("mine"), ..LabChange::default() };
    world.client.update_lab(way.access(), &left, notes).await.unwrap();
    let foreign = "ccm-import op-01kjqadn3w5y7a9c1e3g6j8m0p";
    world.client.import_lab(way.access(), TWO_NODES, Some(foreign)).await.unwrap();
    world.read_labs(0).await;
    let mut titles = world.titles().await;
    titles.sort();
    assert_eq!(titles, ["Wanted", foreign]);
    assert_eq!(world.ctx.store.lab(world.worker(0), &left.parse().unwrap()).await.unwrap().title, "Wanted");

    let safe = LabWorld::new().await;
    let operation = safe.import_without_title().await;
    safe.ended(operation).await;
    safe.faults_cleared();
    let settings = Arc::new(Settings { safe_mode: true, ..Settings::clone(&safe.ctx.settings) });
    let ctx = Context { settings, ..safe.ctx.clone() };
    let message = CollectLabs { worker_ids: vec![safe.worker(0)] };
    collect_labs(&ctx, safe.at(), safe.secrets.as_ref(), &message).await.unwrap();
    assert_eq!(safe.titles().await, [format!("ccm-import {operation}")]);
}
