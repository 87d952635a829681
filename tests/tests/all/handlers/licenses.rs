//! Licences, CML credentials and the end of a worker, as requests.

use app::ports::{CmlCredentials, CmlLogins, Queue, Secrets};
use domain::SignedDuration;
use serde_json::json;

use super::test_api::TestApi;
use super::world::WORKER;

const TOKEN: &str = "anExampleOfATokenThatNobodyMayEverRead";

fn path(of: &str) -> String {
    format!("/api/workers/{WORKER}{of}")
}

#[tokio::test]
async fn a_licence_token_is_kept_where_secrets_are_and_nowhere_else() {
    let api = TestApi::new().await;
    let body = json!({"token": TOKEN, "product": "CML_Enterprise", "features": {"node_count": 5}});
    let accepted = api.put(&path("/license")).json(&body).as_admin().await;
    assert_eq!((accepted.status, accepted.json()["kind"].as_str()), (202, Some("register_license")));
    let operation = accepted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(api.secrets.tokens(), [operation.as_str()]);
    let shown = api.get(&format!("/api/operations/{operation}")).as_admin().await;
    let sent = api.queues.to(Queue::CmlOperations);
    assert_eq!(sent.len(), 1);
    for text in [accepted.body, shown.body, format!("{:?}", api.items()), sent.join(" ")] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    let refused = api.put(&path("/license")).json(&json!({"token": format!("{TOKEN} "), "product": ""}));
    let refused = refused.as_admin().await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["token".to_owned(), "product".to_owned()]));
    assert!(!refused.body.contains(TOKEN), "{refused:?}");
}

#[tokio::test]
async fn the_same_registration_by_the_same_key_is_one_and_with_another_token_is_refused() {
    let api = TestApi::new().await;
    let call = |token: &str| {
        let body = json!({"token": token, "product": "CML_Enterprise"});
        api.put(&path("/license")).json(&body).header("idempotency-key", "k").as_admin()
    };
    let (first, again) = (call(TOKEN).await, call(TOKEN).await);
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(api.secrets.tokens().len(), 1);
    assert_eq!(call("another").await.status, 422);
}

#[tokio::test]
async fn a_licence_is_shown_with_its_seats_from_its_controller() {
    let api = TestApi::new().await;
    // The controller has just been registered, and is authorized in a moment.
    api.clock.advance(SignedDuration::from_secs(10));
    let license = api.get(&path("/license")).as_user().await.json();
    assert_eq!((&license["registration"], &license["status"]), (&json!("COMPLETED"), &json!("IN_COMPLIANCE")));
    assert_eq!(license["not_live"], json!(null));
    assert_eq!(license["features"][1]["max"], 500, "{license}");
}

#[tokio::test]
async fn an_end_by_force_needs_a_reason_and_one_without_saves_first() {
    let api = TestApi::new().await;
    for (query, field) in [
        ("?force=true", "reason"),
        ("?force=true&reason=%20", "reason"),
        ("?force=true&reason=a%0Ab", "reason"),
        ("?force=yes&reason=a", "force"),
        ("?reason=a", "reason"),
    ] {
        let refused = api.delete(&path(query)).as_admin().await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field.to_owned()]), "{query}");
    }
    let safe = api.delete(&path("")).as_admin().await;
    assert_eq!((safe.status, safe.json()["kind"].as_str()), (202, Some("terminate_worker")));
    assert_eq!((api.queues.to(Queue::CmlOperations).len(), api.queues.to(Queue::Operations).len()), (1, 0));
    assert_eq!(api.get(&path("")).as_user().await.json()["desired_state"], "running");

    let forced = api.delete(&path("?force=true&reason=its+disk+is+broken")).as_admin().await;
    assert_eq!(forced.status, 202);
    assert_eq!(api.queues.to(Queue::Operations).len(), 1);
    let worker = api.get(&path("")).as_user().await.json();
    assert_eq!(worker["desired_state"], "terminated");
    let events = api.get(&path("/events")).as_admin().await.body;
    assert!(events.contains("by force: its disk is broken"), "{events}");
}

#[tokio::test]
async fn an_end_by_force_is_another_request_than_a_safe_one() {
    let api = TestApi::new().await;
    let call = |query: &str| api.delete(&path(query)).header("idempotency-key", "k").as_admin();
    assert_eq!(call("").await.status, 202);
    assert_eq!(call("?force=true&reason=a").await.status, 422);
}

#[tokio::test]
async fn the_fleets_credentials_are_set_and_those_before_them_kept() {
    let api = TestApi::new().await;
    let before = api.secrets.cml_credentials("fleet").await.unwrap().unwrap().current;
    let body = json!({"username": "ccm", "password": "a new one"});
    let set = api.put("/api/cml-credentials").json(&body).as_admin().await;
    assert_eq!((set.status, set.body.as_str()), (204, ""));
    let current = CmlCredentials { username: "ccm".into(), password: "a new one".into() };
    let kept = api.secrets.cml_credentials("fleet").await.unwrap().unwrap();
    assert!(kept == CmlLogins { current, previous: Some(before) });
    assert!(!format!("{:?}", api.items()).contains("a new one"));
}

#[tokio::test]
async fn a_worker_s_first_own_credentials_leave_it_readable_until_they_are_in_cml_too() {
    let api = TestApi::new().await;
    let fleet = api.secrets.cml_credentials("fleet").await.unwrap().unwrap().current;
    let pair = |password: &str| CmlCredentials { username: fleet.username.clone(), password: password.into() };
    let set = |password: &str| {
        let body = json!({"username": fleet.username, "password": password});
        api.put(&path("/cml-credentials")).json(&body).as_admin()
    };
    // Set twice, as by somebody who is not sure that it was done.
    for _ in 0..2 {
        assert_eq!(set("the first of its own").await.status, 204);
        let own = api.secrets.cml_credentials(WORKER).await.unwrap();
        assert!(own == Some(CmlLogins { current: pair("the first of its own"), previous: Some(fleet.clone()) }));
        // Its controller has the fleet's still.
        assert_eq!(api.get(&path("/cml/system_health")).as_user().await.status, 200);
    }
    assert_eq!(set("the second").await.status, 204);
    let own = api.secrets.cml_credentials(WORKER).await.unwrap();
    assert!(own == Some(CmlLogins { current: pair("the second"), previous: Some(pair("the first of its own")) }));
    // It goes back to the fleet's, and then to its own again: the pair in use is the fleet's.
    let back = api.patch(&path("")).json(&json!({"cml_credentials_ref": null})).as_admin().await;
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(set("the second").await.status, 204);
    let own = api.secrets.cml_credentials(WORKER).await.unwrap();
    assert!(own == Some(CmlLogins { current: pair("the second"), previous: Some(fleet.clone()) }));
    let at_fleet = api.secrets.cml_credentials("fleet").await.unwrap();
    assert!(at_fleet == Some(fleet.clone().into()), "the fleet's stay as they are");
}
