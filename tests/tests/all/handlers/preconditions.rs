//! Versions and idempotency keys.

use app::ports::Queue;
use http_api::Access;
use serde_json::json;

use super::fixtures::{commands, function};
use super::test_api::TestApi;
use super::world::WORKER;

#[tokio::test]
async fn a_stale_version_is_a_412_that_changes_nothing() {
    // A refresh takes its turn before it looks at the version; it has its own test below.
    let on_workers = commands().filter(|function| function.endpoint().unwrap().path.contains("worker_id"));
    for function in on_workers.filter(|function| function.name != "refresh-worker") {
        let api = TestApi::new().await;
        let before = api.items();
        for stale in ["\"0\"", "\"6\"", "\"18446744073709551615\""] {
            let answer = api.fixture(function).header("if-match", stale).as_admin().await;
            assert_eq!(answer.status, 412, "{} with {stale}: {answer:?}", function.name);
            assert_eq!(api.items(), before, "{}", function.name);
        }
        assert!(api.queues.to(Queue::Operations).is_empty(), "{}", function.name);
        let answer = api.fixture(function).header("if-match", "\"7\"").as_admin().await;
        assert!(answer.status < 300, "{}: {answer:?}", function.name);
    }
}

#[tokio::test]
async fn a_version_or_a_key_that_is_none_is_a_400() {
    let api = TestApi::new().await;
    let before = api.items();
    let long = "k".repeat(129);
    // What is public changes no more than the browser's own session.
    for function in commands().filter(|function| function.endpoint().unwrap().access != Access::Public) {
        for bad in ["7", "\"\"", "", "W/\"7\"", "\"7\", \"8\"", "\"-1\"", "\"99999999999999999999\"", "\"x\""] {
            let answer = api.fixture(function).header("if-match", bad).as_admin().await;
            assert_eq!(answer.status, 400, "{} with {bad:?}: {answer:?}", function.name);
        }
        for bad in ["", "a b", "\u{e9}", long.as_str()] {
            let answer = api.fixture(function).header("idempotency-key", bad).as_admin().await;
            assert_eq!(answer.status, 400, "{} with {bad:?}: {answer:?}", function.name);
        }
    }
    assert_eq!(api.items(), before);
}

#[tokio::test]
async fn the_etag_of_an_answer_is_the_version_to_send_back() {
    let api = TestApi::new().await;
    let path = format!("/api/workers/{WORKER}");
    let read = api.get(&path).as_user().await;
    assert_eq!(read.headers["etag"], format!("\"{}\"", read.json()["version"]));
    assert_eq!(api.get(&format!("{path}/power")).as_user().await.headers["etag"], read.headers["etag"]);

    let rename = |name: &str| api.patch(&path).as_manager().json(&json!({ "name": name }));
    let changed = rename("lab-9").header("if-match", &read.headers["etag"]).await;
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("lab-9")));
    assert_ne!(changed.headers["etag"], read.headers["etag"]);
    assert_eq!(rename("lab-10").header("if-match", &read.headers["etag"]).await.status, 412);
    assert_eq!(rename("lab-10").header("if-match", &changed.headers["etag"]).await.status, 200);
    assert_eq!(rename("lab-11").header("if-match", "*").await.status, 200);
}

#[tokio::test]
async fn a_key_names_one_request_and_its_operation() {
    let commands = commands().filter(|function| function.endpoint().unwrap().answer.0 == 202);
    for function in commands {
        let api = TestApi::new().await;
        let call = || api.fixture(function).header("idempotency-key", "k-1");
        let first = call().as_admin().await;
        assert_eq!(first.status, 202, "{}", function.name);
        let again = call().as_admin().await;
        assert_eq!(again.json()["id"], first.json()["id"], "{}", function.name);
        let queues = [Queue::Operations, Queue::Imports, Queue::CmlOperations];
        let sent: usize = queues.into_iter().map(|queue| api.queues.to(queue).len()).sum();
        assert_eq!(sent, 1, "{}", function.name);
        let read = api.get(&first.headers["location"]).as_user().await;
        assert_eq!((read.status, &read.json()["id"]), (200, &first.json()["id"]), "{}", function.name);
    }
}

#[tokio::test]
async fn a_key_of_another_body_is_refused_and_another_callers_key_is_another_key() {
    let api = TestApi::new().await;
    let create = |name: &str| {
        let body = json!({"name": name, "region": "us-east-1"});
        api.post("/api/workers").json(&body).header("idempotency-key", "k-1")
    };
    let first = create("lab-2").as_admin().await;
    let other = create("lab-3").as_admin().await;
    assert_eq!((other.status, other.fields()), (422, vec!["Idempotency-Key".to_owned()]));

    let stop = || api.fixture(function("stop-worker")).header("idempotency-key", "k-1");
    let (by_admin, by_manager) = (stop().as_admin().await, stop().as_manager().await);
    assert_eq!((by_admin.status, by_manager.status), (202, 202));
    let ids: std::collections::BTreeSet<_> =
        [first, by_admin, by_manager].iter().map(|answer| answer.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_refresh_asked_again_at_once_is_a_429_that_says_how_long_to_wait() {
    let api = TestApi::new().await;
    let refresh = || api.post(&format!("/api/workers/{WORKER}/refresh")).as_manager();
    assert_eq!(refresh().await.status, 202);
    let again = refresh().await;
    assert_eq!((again.status, again.headers["retry-after"].as_str()), (429, "10"));
}

#[tokio::test]
async fn a_refresh_of_a_stale_version_is_a_412_that_starts_nothing() {
    let api = TestApi::new().await;
    let refresh = api.fixture(function("refresh-worker")).as_manager();
    assert_eq!(refresh.header("if-match", "\"6\"").await.status, 412);
    assert!(api.queues.to(Queue::Operations).is_empty());
}
