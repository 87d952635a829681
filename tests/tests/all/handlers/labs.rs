//! Labs over the API: what is shown of them, who acts on them, and which topologies are taken.

use app::ports::Queue;
use app::topology::TOPOLOGY_MAX_BYTES;
use domain::Role;
use local_controllers::{ControllerFault, FaultOrder};
use serde_json::{Value, json};

use super::api_keys::{create, text};
use super::fixtures::{endpoints, function};
use super::test_api::{Answer, Call, TestApi};
use super::world::labs::LAB;
use super::world::{TERMINATED, WORKER};

/// The instance that runs.
const INSTANCE: &str = "i-00000000000000001";

fn labs() -> String {
    format!("/api/workers/{WORKER}/labs")
}

impl TestApi {
    async fn order(&self, order: FaultOrder) {
        self.controllers.inject_fault(INSTANCE, order).await.unwrap();
    }

    fn topology(&self, content_type: &str, body: &str) -> Call<'_> {
        self.post(&labs()).text(content_type, body).as_manager()
    }
}

const YAML: &str = "lab: {title: Two, version: 0.3.0}\nnodes:\n  - {id: n0, label: a, node_definition: alpine}\n";

#[tokio::test]
async fn a_lab_is_shown_with_what_its_controller_shows_now_and_without_when_that_is_away() {
    let api = TestApi::new().await;
    let call = || api.get(&format!("{}/{LAB}", labs())).as_user();
    let shown = call().await.json();
    assert_eq!(
        (&shown["id"], &shown["worker_id"], &shown["title"]),
        (&json!(LAB), &json!(WORKER), &json!("BGP basics"))
    );
    assert_eq!(shown["state"], "STOPPED", "as it was read last");
    let nodes = shown["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[0]["node_definition"]), (2, &json!("alpine")));
    assert_eq!(nodes[0]["state"], "DEFINED_ON_CORE", "as it is now");
    assert_eq!(shown["links"], json!([]));
    assert_eq!(shown["resources"]["memory_mib"], 0, "nothing runs");
    for order in [
        FaultOrder::once(ControllerFault::BadGateway).at("GET", "/labs/*/nodes"),
        FaultOrder::once(ControllerFault::BrokenJson).at("GET", "/labs/*/topology"),
    ] {
        api.order(order).await;
        let answer = call().await;
        assert_eq!(answer.status, 200);
        let shown = answer.json();
        assert_eq!((&shown["nodes"], &shown["links"], &shown["node_count"]), (&Value::Null, &Value::Null, &json!(2)));
        assert_eq!(shown["resources"]["memory_mib"], Value::Null);
    }
}

#[tokio::test]
async fn a_controller_that_takes_too_long_keeps_nobody_waiting() {
    let api = TestApi::new().await;
    api.order(FaultOrder::once(ControllerFault::Slow(60_000)).at("GET", "/labs/*/nodes")).await;
    let answer = api.get(&format!("{}/{LAB}", labs())).as_user().await;
    assert_eq!((answer.status, &answer.json()["nodes"]), (200, &Value::Null));
}

#[tokio::test]
async fn labs_are_listed_as_they_were_read_last() {
    let api = TestApi::new().await;
    for path in ["/api/labs".to_owned(), labs()] {
        let list = api.get(&path).as_user().await.json();
        let items = list["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["id"], &items[0]["nodes"]), (1, &json!(LAB), &Value::Null), "{path}");
        assert_eq!(items[0]["owner_username"], "ada");
    }
}

#[tokio::test]
async fn a_download_is_cmls_own_file_and_says_why_when_there_is_none() {
    let api = TestApi::new().await;
    let call = || api.get(&format!("{}/{LAB}/download", labs())).as_user();
    let file = call().await;
    assert_eq!((file.status, file.headers["content-type"].as_str()), (200, "application/yaml"));
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"BGP-basics.yaml\"");
    let topology: Value = serde_norway::from_str(&file.body).unwrap();
    assert_eq!(topology["nodes"].as_array().unwrap().len(), 2);
    api.order(FaultOrder::once(ControllerFault::BadGateway).at("GET", "/labs/*/download")).await;
    assert_eq!(call().await.status, 503);
    // What is taken can be sent back.
    assert_eq!(api.topology("application/yaml", &file.body).await.status, 202);

    let empty = TestApi::new().await;
    let worker = super::world::worker_id(WORKER);
    let mut lab = empty.world.context.store.lab(worker, &LAB.parse().unwrap()).await.unwrap();
    lab.id = "00000000-0000-4000-8000-0000000fffff".parse().unwrap();
    empty.world.context.store.save_lab(&lab).await.unwrap();
    let gone = empty.get(&format!("{}/{}/download", labs(), lab.id)).as_user().await;
    assert_eq!(gone.status, 404, "the controller has no such lab");
}

#[tokio::test]
async fn a_topology_is_taken_in_yaml_or_json_and_kept_until_it_is_a_lab() {
    let api = TestApi::new().await;
    let json = json!({"lab": {"title": "Two"}, "nodes": [{"id": "n0", "node_definition": "alpine"}]}).to_string();
    for (content_type, body) in [
        ("application/yaml", YAML),
        ("text/yaml; charset=utf-8", YAML),
        ("application/x-yaml", YAML),
        ("application/json", &json),
    ] {
        let before = api.files.all().len();
        let answer = api.topology(content_type, body).await;
        assert_eq!((answer.status, &answer.json()["kind"]), (202, &json!("import_lab")), "{content_type}: {answer:?}");
        let files = api.files.all();
        assert_eq!(files.len(), before + 1);
        assert!(files.values().any(|kept| kept == body.as_bytes()));
    }
    assert_eq!(api.queues.to(Queue::CmlOperations).len(), 4);
    let large = format!("{YAML}# {}\n", "x".repeat(1_000_000));
    assert_eq!(api.topology("application/yaml", &large).await.status, 202, "larger than any other body");
}

#[tokio::test]
async fn a_terminated_worker_has_no_labs_whatever_was_read_of_it() {
    let api = TestApi::new().await;
    let store = &api.world.context.store;
    let mut lab = store.lab(super::world::worker_id(WORKER), &LAB.parse().unwrap()).await.unwrap();
    lab.worker_id = super::world::worker_id(TERMINATED);
    store.save_lab(&lab).await.unwrap();
    for path in ["", "/download"] {
        let answer = api.get(&format!("/api/workers/{TERMINATED}/labs/{LAB}{path}")).as_admin().await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

async fn refused(api: &TestApi, call: Call<'_>, status: u16) -> Answer {
    let (items, files) = (api.items(), api.files.all());
    let answer = call.await;
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!((api.items(), api.files.all()), (items, files), "nothing is left of what is refused");
    answer
}

#[tokio::test]
async fn a_topology_that_cannot_be_one_is_refused_at_once_by_field() {
    let api = TestApi::new().await;
    let many = format!("lab: {{}}\nnodes: [{}]", "{node_definition: alpine},".repeat(1_001));
    for (content_type, body, field, said) in [
        ("application/yaml", "lab: [\n", "body", "is no YAML in line 2, column 1"),
        ("application/json", "{\"lab\": ", "body", "is no JSON in line 1, column 8"),
        ("application/json", "[]", "body", "must be a topology"),
        ("application/yaml", "lab: {}", "nodes", "is required"),
        ("application/yaml", "lab: {}\nnodes: {}", "nodes", "must be a list"),
        ("application/yaml", many.as_str(), "nodes", "must be at most 1000"),
        ("application/yaml", "lab: {}\nnodes: [{id: n0}]", "nodes[0].node_definition", "is required"),
        ("application/yaml", "lab: {title: ''}\nnodes: []", "lab.title", "must have 1 to 64 characters"),
    ] {
        let answer = refused(&api, api.topology(content_type, body), 422).await;
        assert_eq!(answer.fields(), [field], "{answer:?}");
        assert!(answer.json()["errors"][0]["message"].as_str().unwrap().starts_with(said), "{answer:?}");
    }
    let title = refused(&api, api.topology("application/yaml", YAML).query("title", &"x".repeat(65)), 422).await;
    assert_eq!(title.fields(), ["title"]);
    for content_type in ["text/plain", "", "application/octet-stream"] {
        refused(&api, api.topology(content_type, YAML), 415).await;
    }
    refused(&api, api.topology("application/yaml", &" ".repeat(TOPOLOGY_MAX_BYTES + 1)), 413).await;
    refused(&api, api.post(&labs()).bytes(b"lab: \xff").as_manager(), 422).await;
}

#[tokio::test]
async fn a_key_names_a_topology_with_its_title() {
    let api = TestApi::new().await;
    let call = |title: &str| api.topology("text/yaml", YAML).query("title", title).header("idempotency-key", "k-1");
    let first = call("One").await;
    assert_eq!(call("One").await.json()["id"], first.json()["id"]);
    assert_eq!(call("Two").await.fields(), ["Idempotency-Key"]);
    // The files of the seeded backup and evidence, and that of the one import.
    assert_eq!(api.files.all().len(), 3);
}

#[tokio::test]
async fn a_user_acts_on_a_lab_of_their_own_and_so_does_their_key() {
    let api = TestApi::with(|settings| settings.lab_owners = "ada=user".parse().unwrap()).await;
    let body = json!({"name": "ci", "scopes": ["labs:write"]});
    let key = text(&create(&api, Role::User, body).await["key"]);
    let other = TestApi::new().await;
    for function in endpoints().filter(|function| super::fixtures::acts_on_a_lab(function)) {
        if function.endpoint().unwrap().group != "labs" {
            continue;
        }
        assert_eq!(api.fixture(function).as_user().await.status, 202, "{}", function.name);
        assert_eq!(api.fixture(function).header("x-api-key", &key).await.status, 202, "{}", function.name);
        let refused = refused(&other, other.fixture(function).as_user(), 403).await;
        let words = "This lab belongs to somebody else; users act on their own labs, managers on all.";
        assert_eq!(refused.json()["detail"], words, "{}", function.name);
    }
}

#[tokio::test]
async fn an_id_that_no_lab_has_is_a_404_whatever_it_looks_like() {
    let api = TestApi::new().await;
    let long = "a".repeat(8_000);
    for function in endpoints().filter(|function| function.endpoint().unwrap().path.contains("{lab_id}")) {
        for id in ["0", "*", " ", "..", "a/b", "\u{0}", "\u{1f4a5}", "00000000-0000-4000-8000-0000000fffff", &long] {
            refused(&api, api.fixture(function).id("lab_id", id).as_admin(), 404).await;
        }
    }
}

#[tokio::test]
async fn a_worker_that_does_not_run_is_a_conflict_that_says_so() {
    let api = TestApi::new().await;
    assert_eq!(api.fixture(function("stop-worker")).as_admin().await.status, 202);
    let store = &api.world.context.store;
    let worker = store.worker(super::world::worker_id(WORKER)).await.unwrap();
    let stopped = domain::worker::WorkerEvent::StatusChanged {
        from: worker.status,
        to: domain::worker::WorkerStatus::Stopped,
        detail: None,
        reason: None,
        running_since: None,
    };
    let change = domain::worker::Change::of(&worker, vec![stopped], domain::Actor::Aws, super::world::now());
    let commit = app::store::Commit { change, ..Default::default() };
    store.commit(&commit, api.world.context.settings.operation_retention).await.unwrap();
    for name in ["start-lab", "delete-lab", "update-lab", "refresh-labs", "import-lab", "download-lab"] {
        let answer = refused(&api, api.fixture(function(name)).as_admin(), 409).await;
        assert!(answer.json()["detail"].as_str().unwrap().contains("The worker is stopped"), "{name}: {answer:?}");
    }
    let shown = api.fixture(function("get-lab")).as_admin().await;
    assert_eq!((shown.status, &shown.json()["nodes"]), (200, &Value::Null));
}
