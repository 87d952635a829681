//! Evidence of failures as callers see it.

use app::ports::Files;
use insta::assert_json_snapshot;
use serde_json::json;

use super::test_api::TestApi;
use super::world::labs::{CONSOLE, EVIDENCE, evidence_key};
use super::world::{TERMINATED, WORKER};

#[tokio::test]
async fn what_was_kept_is_listed_with_its_cause_and_the_worker_points_to_it() {
    let api = TestApi::new().await;
    let list = api.get(&format!("/api/workers/{WORKER}/evidence")).as_manager().await.json();
    assert_json_snapshot!(list, @r#"
    {
      "items": [
        {
          "cause": {
            "drift": "host_failure",
            "error_code": null,
            "operation_id": null,
            "since": "2026-03-02T08:30:00.000Z"
          },
          "expires_at": "2026-04-01T08:30:00.000Z",
          "id": "evd-01kjq8r3m6x9c2f5h7k0n4p8v3",
          "kind": "console_output",
          "lab_id": null,
          "node": null,
          "size_bytes": 73,
          "taken_at": "2026-03-02T08:30:00.000Z",
          "truncated": false,
          "worker_id": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d"
        }
      ],
      "next_cursor": null
    }
    "#);
    let worker = api.get(&format!("/api/workers/{WORKER}")).as_user().await.json();
    let pointer = &worker["evidence"][0];
    for name in ["id", "kind", "taken_at", "expires_at", "size_bytes"] {
        assert_eq!(pointer[name], list["items"][0][name], "{name}");
    }
    assert_eq!(pointer.as_object().unwrap().len(), 5);
    let none = api.get(&format!("/api/workers/{TERMINATED}/evidence")).as_manager().await.json();
    assert_eq!(none, json!({ "items": [], "next_cursor": null }));
    assert_eq!(api.get("/api/workers/wkr-1/evidence").as_manager().await.status, 404);
}

#[tokio::test]
async fn a_text_is_downloaded_as_plain_text_until_its_time_is_over() {
    let api = TestApi::new().await;
    let of = |worker: &str, id: &str| format!("/api/workers/{worker}/evidence/{id}");
    let download = async || api.get(&of(WORKER, EVIDENCE)).as_manager().await;
    let text = download().await;
    assert_eq!((text.status, text.body.as_str()), (200, CONSOLE));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(text.headers[name], value, "{name}");
    }
    for (worker, id) in [(TERMINATED, EVIDENCE), (WORKER, "evd-1"), (WORKER, "evd-01kjq8r3m6x9c2f5h7k0n4p8v4")] {
        assert_eq!(api.get(&of(worker, id)).as_manager().await.status, 404, "{worker} {id}");
    }
    assert_eq!(api.get(&of(WORKER, EVIDENCE)).as_user().await.status, 403);
    // The bucket has dropped the file already, or the item is still there though its time is over.
    api.files.delete(&evidence_key()).await.unwrap();
    assert_eq!(download().await.status, 404);
    api.files.put(&evidence_key(), CONSOLE.as_bytes()).await.unwrap();
    assert_eq!(download().await.status, 200);
    let store = &api.world.context.store;
    let (worker, id, now) = (WORKER.parse().unwrap(), EVIDENCE.parse().unwrap(), api.world.context.now());
    let mut evidence = store.find_evidence(worker, id, now).await.unwrap().unwrap();
    evidence.expires_at = now;
    store.save_evidence(&evidence).await.unwrap();
    assert_eq!(download().await.status, 404);
    let list = api.get(&format!("/api/workers/{WORKER}/evidence")).as_manager().await.json();
    assert_eq!(list["items"], json!([]));
}
