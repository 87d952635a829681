//! Topologies become labs, each once, whatever is lost on the way.

use std::sync::atomic::Ordering;

use app::AppError;
use app::ports::CmlLabs;
use app::topology::TopologyFormat;
use app::use_cases::import_lab::{SentTopology, import_lab};
use domain::operation::Operation;
use domain::{OperationId, Role};
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
