//! Refusals word for word: clients show them to people, and some look for the words.

use super::*;
use crate::ControllerVersion;

fn refusal(status: StatusCode, description: &str) -> (StatusCode, Value) {
    (status, json!({ "code": status.as_u16(), "description": description }))
}

async fn refused(client: &Client<'_>, method: Method, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let answer = client.ask(method, path, body).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_licence_is_not_given_back_while_nodes_run_nor_twice() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    fleet.controllers.seed_lab(OLD, "Runs", 1, true).unwrap();
    let running = "Licensing issue: Cannot de-register when nodes are running.";
    let path = "/licensing/deregistration";
    assert_eq!(refused(&admin, Method::DELETE, path, "").await, refusal(StatusCode::BAD_REQUEST, running));

    let lab = admin.get("/labs").await[0].as_str().unwrap().to_owned();
    admin.order(Method::PUT, &format!("/labs/{lab}/stop")).await;
    fleet.pass(5);
    admin.order(Method::DELETE, path).await;
    let twice = "Licensing issue: The product has already been de-registered.";
    assert_eq!(refused(&admin, Method::DELETE, path, "").await, refusal(StatusCode::BAD_REQUEST, twice));
}

#[tokio::test]
async fn each_version_has_its_words_for_a_missing_token() {
    let fleet = Fleet::ready(OLD).await;
    let said = || async {
        let answer = fleet.ask(OLD, Method::GET, "/labs", "", "").await;
        (answer.status, answer.json())
    };
    assert_eq!(said().await, refusal(StatusCode::UNAUTHORIZED, "No authorization token provided."));
    fleet.controllers.set_version(OLD, ControllerVersion::V2_4).unwrap();
    let long = "Not authenticated: 401 Unauthorized: No authorization token provided.";
    assert_eq!(said().await, refusal(StatusCode::UNAUTHORIZED, long));
}

#[tokio::test]
async fn broken_yaml_is_shown_where_it_breaks() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let commas = "Bad request: while parsing a block node\nexpected the node content, but found ','\n  in \"<unicode string>\", line 1, column 1:\n    ,,,\n    ^.";
    assert_eq!(refused(&admin, Method::POST, "/import", ",,,").await, refusal(StatusCode::BAD_REQUEST, commas));

    let (_, said) = refused(&admin, Method::POST, "/import", "lab:\n  title: [a, b\nnodes: []\n").await;
    let said = said["description"].as_str().unwrap();
    assert!(said.starts_with("Bad request: while parsing a flow sequence\nexpected "), "{said}");
    assert!(said.ends_with("line 3, column 6:\n    nodes: []\n         ^."), "{said}");
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named_in_json_within_the_description() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let packed = r#"{"Input validation failed": [{"location": ["body", "username"], "type": "string_too_short", "message": "String should have at least 1 character"}]}"#;
    let nobody = json!({ "username": "", "password": "pw" }).to_string();
    assert_eq!(refused(&admin, Method::POST, "/users", nobody).await, refusal(StatusCode::BAD_REQUEST, packed));
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    for (path, said) in [
        ("/users/nonexistent", "User does not exist: nonexistent."),
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
