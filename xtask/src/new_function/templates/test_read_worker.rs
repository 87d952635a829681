//! `{{method}} {{path}}`

use serde_json::json;

use super::fixtures::function;
use super::test_api::TestApi;
use super::world::WORKER;

#[tokio::test]
async fn {{snake}}_answers_with_the_worker_of_its_path() {
    let api = TestApi::new().await;
    let answer = api.fixture(function("{{name}}")).as_{{role}}().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "worker_id": WORKER, "name": "lab-1" })));
    assert_eq!(answer.headers["etag"], "\"7\"");
}
