//! `{{method}} {{path}}`

use serde_json::json;

use super::fixtures::function;
use super::test_api::TestApi;
use super::world::WORKER;

#[tokio::test]
async fn {{snake}}_answers_with_the_worker_and_changes_nothing_yet() {
    let api = TestApi::new().await;
    let before = api.items();
    let answer = api.fixture(function("{{name}}")).as_{{role}}().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "worker_id": WORKER, "name": "lab-1" })));
    assert_eq!(answer.headers["etag"], "\"7\"");
    assert_eq!(api.items(), before);
}
