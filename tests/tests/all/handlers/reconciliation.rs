//! What is wanted of a worker, and what the reconciler did, as callers see it.

use domain::Visibility;
use serde_json::json;

use super::test_api::TestApi;
use super::world::WORKER;

#[tokio::test]
async fn a_wish_is_an_operation_and_only_an_admin_wants_a_worker_gone() {
    for (desired, kind) in [("running", "start_worker"), ("stopped", "stop_worker"), ("terminated", "terminate_worker")]
    {
        let api = TestApi::new().await;
        let path = format!("/api/workers/{WORKER}/desired-state");
        let wish = || api.put(&path).json(&json!({ "desired_state": desired }));
        let by_manager = wish().as_manager().await;
        if desired == "terminated" {
            assert_eq!(by_manager.status, 403, "{by_manager:?}");
            let by_admin = wish().as_admin().await;
            assert_eq!((by_admin.status, &by_admin.json()["kind"]), (202, &json!(kind)));
        } else {
            assert_eq!((by_manager.status, &by_manager.json()["kind"]), (202, &json!(kind)));
        }
        let read = api.get(&format!("/api/workers/{WORKER}")).as_user().await.json();
        // What is on it is saved before it is wanted gone.
        let wanted = if desired == "terminated" { "running" } else { desired };
        assert_eq!(read["desired_state"], wanted);
    }
    let api = TestApi::new().await;
    let wish = api.put(&format!("/api/workers/{WORKER}/desired-state")).json(&json!({ "desired_state": "Running" }));
    let refused = wish.as_admin().await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["desired_state".to_owned()]));
}

#[tokio::test]
async fn only_an_admin_takes_the_end_of_a_worker_back() {
    let api = TestApi::new().await;
    let end = api.delete(&format!("/api/workers/{WORKER}")).as_admin().await;
    assert_eq!(end.status, 202);
    let path = format!("/api/workers/{WORKER}/desired-state");
    let wish = || api.put(&path).json(&json!({ "desired_state": "running" }));
    let by_manager = wish().as_manager().await;
    assert_eq!(by_manager.status, 409);
    assert!(by_manager.json()["detail"].as_str().unwrap().contains("an admin may still take back"), "{by_manager:?}");
    let by_admin = wish().as_admin().await;
    assert_eq!((by_admin.status, &by_admin.json()["kind"]), (202, &json!("start_worker")));
    assert_eq!(wish().as_manager().await.status, 202, "it is a wish like any other from then on");
}

#[tokio::test]
async fn the_numbers_have_every_name_and_a_run_that_is_going_is_named() {
    let api = TestApi::new().await;
    let stats = async || api.get("/api/reconciliation/stats").as_user().await.json();
    let before = stats().await;
    assert_eq!((&before["last_run"], &before["run_id"]), (&json!(null), &json!(null)));
    for kind in ["workers", "labs"] {
        assert_eq!(before[kind]["decisions"]["give_up"], 0);
        assert_eq!(before[kind]["actions"]["start"], 0);
        assert_eq!(before[kind]["actions"]["wait"], json!(null), "nothing is done by waiting");
    }
    let run = api.post("/api/reconciliation/trigger").as_admin().await;
    let again = api.post("/api/reconciliation/trigger").as_admin().await;
    assert_eq!((run.status, again.status, &run.json()["id"]), (202, 202, &again.json()["id"]));
    assert_eq!((&run.json()["kind"], &stats().await["run_id"]), (&json!("reconcile_fleet"), &run.json()["id"]));
}

#[tokio::test]
async fn who_sees_a_part_of_the_fleet_is_not_told_the_numbers_of_all() {
    let api = TestApi::with(|settings| settings.visibility = Visibility::Own).await;
    assert_eq!(api.get("/api/reconciliation/stats").as_user().await.status, 403);
    assert_eq!(api.get("/api/reconciliation/stats").as_manager().await.status, 200);
}
