//! Backups as callers see them.

use app::ports::Files;
use insta::assert_json_snapshot;
use serde_json::json;

use super::test_api::TestApi;
use super::world::labs::{BACKUP, LAB, TOPOLOGY, file_key};
use super::world::{TERMINATED, WORKER};

#[tokio::test]
async fn a_backup_tells_what_it_is_of_and_what_is_not_in_it() {
    let api = TestApi::new().await;
    let backup = api.get(&format!("/api/backups/{BACKUP}")).as_user().await.json();
    assert_json_snapshot!(backup, @r#"
    {
      "bytes": 62,
      "description": "Two routers",
      "expires_at": "2026-05-31T08:30:00.000Z",
      "id": "bak-01kjq8r3m6x9c2f5h7k0n4p8t1",
      "lab_id": "8f1c2a77-5d0b-4b6e-9c3a-d1e2f3a4b5c6",
      "made_at": "2026-03-02T08:30:00.000Z",
      "made_by": {
        "kind": "user",
        "name": "ada",
        "subject": "subject-of-ada"
      },
      "node_count": 2,
      "not_extracted": [
        {
          "node": "sw",
          "reason": "Bad request: node has no configuration to extract"
        }
      ],
      "owner_username": "ada",
      "sha256": "23f5aca8d7a609f304b7edb7a9392c892cc06429af749df2867a253a7fa83922",
      "title": "BGP basics",
      "worker_id": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d",
      "worker_name": "lab-1"
    }
    "#);
    let listed = |query: String| {
        let path = format!("/api/backups?{query}");
        let api = &api;
        async move { api.get(&path).as_user().await.json()["items"].clone() }
    };
    assert_eq!(listed(format!("lab_id={LAB}&worker_id={WORKER}")).await, json!([backup]));
    assert_eq!(listed(format!("worker_id={TERMINATED}")).await, json!([]));
    let wrong = api.get("/api/backups?worker_id=7").as_user().await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["field"]), (422, &json!("worker_id")));
    for unknown in ["bak-1", "bak-01kjq8r3m6x9c2f5h7k0n4p8t2"] {
        assert_eq!(api.get(&format!("/api/backups/{unknown}")).as_user().await.status, 404, "{unknown}");
    }
}

#[tokio::test]
async fn what_was_saved_is_downloaded_as_it_was_saved_or_not_at_all() {
    let api = TestApi::new().await;
    let download = async || api.get(&format!("/api/backups/{BACKUP}/download")).as_user().await;
    let whole = download().await;
    assert_eq!((whole.status, whole.body.as_str()), (200, TOPOLOGY));
    assert_eq!(whole.headers["content-type"], "application/yaml");
    assert_eq!(whole.headers["content-disposition"], format!("attachment; filename=\"{BACKUP}.yaml\""));
    api.files.put(&file_key(), b"lab: {}").await.unwrap();
    let damaged = download().await;
    let problem = damaged.json();
    assert_eq!((damaged.status, &problem["type"]), (502, &json!("urn:cml-cloud-manager:problem:damaged")));
    let said = format!("The file of backup {BACKUP} is not what was saved: its SHA-256 differs.");
    assert_eq!(problem["detail"], json!(said));
}

#[tokio::test]
async fn a_backup_is_deleted_with_its_file_by_an_admin() {
    let api = TestApi::new().await;
    let path = format!("/api/backups/{BACKUP}");
    assert_eq!(api.delete(&path).as_admin().await.status, 204);
    assert!(!api.files.all().contains_key(&file_key()));
    assert_eq!(api.get(&path).as_admin().await.status, 404);
    assert_eq!(api.delete(&path).as_admin().await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_saved_or_restored_is_refused_at_once() {
    let api = TestApi::new().await;
    let restore = |worker: &str| api.post(&format!("/api/workers/{worker}/labs/restore"));
    for (body, field) in [
        (json!({"backup_id": "7"}), "backup_id"),
        (json!({"backup_id": "bak-01kjq8r3m6x9c2f5h7k0n4p8t2"}), "backup_id"),
        (json!({"backup_id": BACKUP, "title": ""}), "title"),
        (json!({"backup_id": BACKUP, "title": "x".repeat(65)}), "title"),
    ] {
        let refused = restore(WORKER).json(&body).as_manager().await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["field"]), (422, &json!(field)), "{body}");
    }
    let accepted = restore(WORKER).json(&json!({"backup_id": BACKUP})).as_manager().await;
    assert_eq!((accepted.status, &accepted.json()["kind"]), (202, &json!("restore_lab")));
    let gone = restore(TERMINATED).json(&json!({"backup_id": BACKUP})).as_manager().await;
    assert_eq!(gone.status, 409, "{gone:?}");
    let back_up = |lab: &str| api.post(&format!("/api/workers/{WORKER}/labs/{lab}/backups"));
    assert_eq!(back_up("unknown").as_admin().await.status, 404);
    let refused = back_up(LAB).as_user().await;
    assert_eq!(
        (refused.status, refused.json()["type"].as_str()),
        (403, Some("urn:cml-cloud-manager:problem:forbidden"))
    );
    let accepted = back_up(LAB).as_manager().await;
    assert_eq!((accepted.status, &accepted.json()["kind"]), (202, &json!("back_up_lab")));
}
