//! A controller's own API, as far as it is passed through.

use app::ports::{CmlCredentials, Secrets};
use domain::{Role, Visibility};
use local_controllers::{ControllerFault, FaultOrder, POLLER_PASSWORD, POLLER_USERNAME};
use serde_json::json;

use super::test_api::{Answer, TestApi};
use super::tokens::{claims, sign};
use super::world::WORKER;
use super::world::labs::LAB;

fn at(path: &str) -> String {
    format!("/api/workers/{WORKER}/cml/{path}")
}

async fn read(api: &TestApi, path: &str, role: Role) -> Answer {
    api.get(&at(path)).by(role).await
}

async fn break_next(api: &TestApi, fault: ControllerFault, path: &str) {
    let instance = api.cloud.running().remove(0).instance_id;
    api.controllers.inject_fault(&instance, FaultOrder::once(fault).at("GET", path)).await.unwrap();
}

#[tokio::test]
async fn what_the_controller_says_is_passed_on_word_for_word_and_says_that_it_is() {
    let api = TestApi::new().await;
    let answer = read(&api, "system_information", Role::User).await;
    assert_eq!((answer.status, answer.headers["x-answered-by"].as_str()), (200, "cml"));
    assert_eq!(answer.headers["content-type"], "application/json");
    let version = answer.json()["version"].as_str().unwrap().to_owned();
    assert!(version.starts_with("2."), "{version}");
    let lab = read(&api, &format!("labs/{LAB}"), Role::User).await;
    assert_eq!((&lab.json()["lab_title"], &lab.json()["node_count"]), (&json!("BGP basics"), &json!(2)));
    let bare = read(&api, &format!("labs/{LAB}/topology?exclude_configurations=true"), Role::User).await.json();
    let whole = read(&api, &format!("labs/{LAB}/topology"), Role::User).await.json();
    assert!(whole["nodes"][0]["configuration"].is_string(), "{whole}");
    assert!(!bare["nodes"][0]["configuration"].is_string(), "the query goes along: {bare}");
}

#[tokio::test]
async fn an_error_of_cmls_keeps_its_status_and_its_words() {
    let api = TestApi::new().await;
    let gone = read(&api, "labs/nowhere", Role::User).await;
    assert_eq!((gone.status, gone.headers["x-answered-by"].as_str()), (404, "cml"));
    assert_eq!(gone.json(), json!({"code": 404, "description": "Lab not found: nowhere"}));
    let user = read(&api, "users/nobody", Role::Admin).await;
    assert_eq!(user.json(), json!({"code": 404, "description": "User does not exist: nobody."}));
    break_next(&api, ControllerFault::BadGateway, "/system_health").await;
    let page = read(&api, "system_health", Role::User).await;
    assert_eq!((page.status, page.headers["content-type"].as_str()), (502, "text/plain; charset=utf-8"));
    assert!(page.body.starts_with("<html>"), "{page:?}");
}

#[tokio::test]
async fn only_what_is_listed_is_there_and_some_of_it_is_for_admins() {
    let api = TestApi::new().await;
    for path in [
        "labs",
        "telemetry/events",
        "labs/../users",
        "labs/%2e%2e/users",
        "system_health/",
        &format!("labs/{LAB}/start"),
        &format!("labs/{LAB}/nodes/n/consoles/0/log"),
    ] {
        let answer = read(&api, path, Role::Admin).await;
        assert_eq!((answer.status, answer.headers.contains_key("x-answered-by")), (404, false), "{path}: {answer:?}");
    }
    for path in ["licensing", "users", "groups"] {
        for (role, status) in [(Role::User, 403), (Role::Manager, 403), (Role::Admin, 200)] {
            assert_eq!(read(&api, path, role).await.status, status, "{path} {role:?}");
        }
    }
    let long = api.get(&at("system_health")).query("x", &"y".repeat(3_000)).as_user().await;
    assert_eq!((long.status, long.fields()), (422, vec!["query".to_owned()]));
}

#[tokio::test]
async fn a_lab_that_somebody_does_not_see_is_not_passed_through_either() {
    let api = TestApi::with(|settings| settings.visibility = Visibility::Own).await;
    let by = |name: &str| {
        let mut claims = claims(Role::User);
        (claims["sub"], claims["preferred_username"]) = (json!(format!("subject-of-{name}")), json!(name));
        sign(&claims)
    };
    let path = at(&format!("labs/{LAB}/state"));
    assert_eq!(api.get(&path).bearer(&by("ada")).await.json(), "DEFINED_ON_CORE");
    let eve = api.get(&path).bearer(&by("eve")).await;
    assert_eq!((eve.status, eve.headers.contains_key("x-answered-by")), (404, false));
    assert_eq!(api.get(&path).as_manager().await.status, 200);
    // A lab that was not read yet is nobody's, and to a manager CML itself says that it is not there.
    let unread = at("labs/unread/state");
    assert_eq!(api.get(&unread).bearer(&by("ada")).await.headers.get("x-answered-by"), None);
    assert_eq!(api.get(&unread).as_manager().await.json()["description"], "Lab not found: unread");
}

#[tokio::test]
async fn the_caller_learns_nothing_of_our_credentials_even_where_they_are_refused() {
    let api = TestApi::new().await;
    let pair = |password: &str| CmlCredentials { username: POLLER_USERNAME.into(), password: password.into() };
    let mut answers = vec![read(&api, "system_health", Role::Admin).await];
    // Two: the previous ones are tried too.
    for wrong in ["not-the-password", "nor-is-this"] {
        api.secrets.set_cml_credentials("fleet", &pair(wrong)).await.unwrap();
    }
    let refused = read(&api, "system_health", Role::Admin).await;
    assert_eq!((refused.status, refused.headers.contains_key("x-answered-by")), (503, false), "{refused:?}");
    api.secrets.set_cml_credentials("fleet", &pair(POLLER_PASSWORD)).await.unwrap();
    let allowed = read(&api, "system_health", Role::Admin).await;
    assert_eq!(allowed.status, 200);
    answers.extend([refused, allowed]);
    for answer in answers {
        let said = format!("{answer:?}");
        for secret in [POLLER_PASSWORD, "not-the-password", "nor-is-this", "Bearer eyJ", "set-cookie"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
    }
}
