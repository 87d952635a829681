//! `{{method}} {{path}}`

use serde_json::json;

use super::fixtures::function;
use super::test_api::TestApi;

#[tokio::test]
async fn {{snake}}_counts_the_workers_that_are_not_terminated() {
    let api = TestApi::new().await;
    let answer = api.fixture(function("{{name}}")).as_{{role}}().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "workers": 1, "at": "2026-03-02T09:00:00.000Z" })));
}
