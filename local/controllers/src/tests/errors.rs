//! Refusals word for word: clients show them to people, and some look for the words.

use super::*;
use crate::{ControllerFault, ControllerVersion, FaultOrder};

fn refusal(status: StatusCode, description: &str) -> (StatusCode, Value) {
    (status, json!({ "code": status.as_u16(), "description": description }))
}

async fn refused(client: &Client<'_>, method: Method, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let answer = client.ask(method, path, body).await;
    (answer.status, answer.json())
}

/// A refusal that was recorded at a real controller.
#[derive(serde::Deserialize)]
struct Recorded {
    name: String,
    version: String,
    request: (String, String, String),
    status: u16,
    description: String,
}

/// What our API makes of each is tried in `tests/tests/all/handlers/recorded_errors.rs`.
#[tokio::test]
async fn each_recorded_error_is_answered_word_for_word() {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("../../fixtures/recorded_errors.json")).unwrap();
    assert_eq!(recorded.len(), 7);
    for Recorded { name, version, request: (method, path, body), status, description } in recorded {
        let fleet = Fleet::ready(OLD).await;
        let admin = fleet.admin(OLD).await;
        let method: Method = method.parse().unwrap();
        match name.as_str() {
            "nodes_run" => drop(fleet.controllers.seed_lab(OLD, "Runs", 1, true).unwrap()),
            "deregistered" => {
                admin.order(Method::DELETE, &path).await;
            }
            _ => {}
        }
        fleet.controllers.set_version(OLD, ControllerVersion::from_name(&version).unwrap()).unwrap();
        let answer = if name.starts_with("no_token") {
            fleet.ask(OLD, method.clone(), &path, "", body.clone()).await
        } else {
            admin.ask(method.clone(), &path, body.clone()).await
        };
        let wanted = refusal(status.try_into().unwrap(), &description);
        assert_eq!((answer.status, answer.json()), wanted, "{name}");
        // The same, as a lever makes it of any request.
        let order = FaultOrder::once(ControllerFault::Refuses { status, description }).at("GET", "/system_stats");
        fleet.controllers.inject_fault(OLD, order).await.unwrap();
        assert_eq!(refused(&admin, Method::GET, "/system_stats", "").await, wanted, "{name}");
    }
}

#[tokio::test]
async fn a_token_that_nobody_knows_is_refused_as_none_is_and_signing_in_goes_on() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    fleet.controllers.inject_fault(NEW, FaultOrder::once(ControllerFault::Unauthorized).always()).await.unwrap();
    let none = refusal(StatusCode::UNAUTHORIZED, "No authorization token provided.");
    assert_eq!(refused(&admin, Method::GET, "/labs", "").await, none);
    let again = fleet.admin(NEW).await;
    assert_eq!(refused(&again, Method::GET, "/labs", "").await, none);
    fleet.controllers.clear_faults(NEW).unwrap();
    again.get("/labs").await;
}

#[tokio::test]
async fn broken_yaml_is_shown_where_it_breaks() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let (_, said) = refused(&admin, Method::POST, "/import", "lab:\n  title: [a, b\nnodes: []\n").await;
    let said = said["description"].as_str().unwrap();
    assert!(said.starts_with("Bad request: while parsing a flow sequence\nexpected "), "{said}");
    assert!(said.ends_with("line 3, column 6:\n    nodes: []\n         ^."), "{said}");
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    for (path, said) in [
        ("/labs/nonexistent", "Lab not found: nonexistent"),
        ("/groups/nonexistent", "Group does not exist: nonexistent."),
        ("/node_definitions/nonexistent", "Node Definition not found: nonexistent"),
        ("/system/notices/nonexistent", "System notice not found: nonexistent"),
    ] {
        assert_eq!(refused(&admin, Method::GET, path, "").await, refusal(StatusCode::NOT_FOUND, said), "{path}");
    }
}

#[tokio::test]
async fn a_topology_that_cannot_be_had_here_leaves_nothing_behind() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    let node = |definition: &str| format!("nodes: [{{id: n0, label: a, node_definition: {definition}}}]");
    let unknown = format!("lab: {{title: t, version: 0.3.0}}\n{}", node("toaster"));
    let newer = format!("lab: {{title: t, version: 9.9.9}}\n{}", node("iosv"));
    let long = format!("lab: {{title: {}, version: 0.3.0}}\n{}", "x".repeat(65), node("iosv"));
    for (file, said) in [(unknown, "toaster"), (newer, "9.9.9"), (long, "at most 64 characters")] {
        let (status, answer) = refused(&admin, Method::POST, "/import", file).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["description"].as_str().unwrap().contains(said), "{answer}");
    }
    assert_eq!(admin.get("/labs").await, json!([]));

    let lab = admin.post("/labs", json!({ "title": "x".repeat(64) })).await["id"].as_str().unwrap().to_owned();
    let node = json!({ "label": "a", "node_definition": "toaster" }).to_string();
    let said = "Bad request: Node Definition not found: toaster";
    let answer = refused(&admin, Method::POST, &format!("/labs/{lab}/nodes"), node).await;
    assert_eq!(answer, refusal(StatusCode::BAD_REQUEST, said));
}
