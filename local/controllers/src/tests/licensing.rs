use super::*;
use crate::{ControllerFault, FaultOrder, LICENCE_TOKEN};

const NODE_COUNT: &str = "regid.2019-10.com.cisco.CML_NODE_COUNT,1.0_2607650b-6ca8-46d5-81e5-e6688b7383c4";

/// The status of the registration and of the authorization.
async fn standing(admin: &Client<'_>) -> (String, String) {
    let licence = admin.get("/licensing").await;
    let status = |part: &str| licence[part]["status"].as_str().unwrap().to_owned();
    (status("registration"), status("authorization"))
}

async fn register(admin: &Client<'_>, token: &str) -> StatusCode {
    let body = json!({ "token": token, "reregister": false }).to_string();
    admin.ask(Method::POST, "/licensing/registration", body).await.status
}

async fn set_nodes(admin: &Client<'_>, count: u32) -> StatusCode {
    let body = json!([{ "id": NODE_COUNT, "count": count }]).to_string();
    admin.ask(Method::PATCH, "/licensing/features", body).await.status
}

fn both(registration: &str, authorization: &str) -> (String, String) {
    (registration.into(), authorization.into())
}

#[tokio::test]
async fn a_registration_is_accepted_at_once_and_completed_later() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    assert_eq!(standing(&admin).await, both("COMPLETED", "IN_COMPLIANCE"));
    assert_eq!(register(&admin, LICENCE_TOKEN).await, StatusCode::BAD_REQUEST, "it is registered");
    admin.order(Method::DELETE, "/licensing/deregistration").await;
    assert_eq!(standing(&admin).await, both("NOT_REGISTERED", "EVAL"));
    assert_eq!(admin.get("/system_health").await["is_licensed"], false);

    assert_eq!(register(&admin, LICENCE_TOKEN).await, StatusCode::NO_CONTENT);
    assert_eq!(standing(&admin).await, both("IN_PROGRESS", "EVAL"));
    assert_eq!(register(&admin, LICENCE_TOKEN).await, StatusCode::CONFLICT);
    fleet.pass(15);
    assert_eq!(standing(&admin).await, both("COMPLETED", "EVAL"));
    fleet.pass(5);
    assert_eq!(standing(&admin).await, both("COMPLETED", "IN_COMPLIANCE"));
    let licence = admin.get("/licensing").await;
    assert_eq!(licence["registration"]["register_time"]["attempted"], "2026-03-02 08:03:15");
}

#[tokio::test]
async fn a_renewal_is_accepted_at_once_and_done_or_failed_later() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    for part in ["registration", "authorization"] {
        let path = format!("/licensing/{part}/renew");
        let shown = async || admin.get("/licensing").await[part].clone();
        let before = shown().await;
        assert_eq!(admin.ask(Method::PUT, &path, "").await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.ask(Method::PUT, &path, "").await.status, StatusCode::CONFLICT);
        let asked = shown().await;
        assert_eq!((&asked["expires"], &asked["renew_time"]["success"]), (&before["expires"], &Value::Null));
        fleet.pass(10);
        let renewed = shown().await;
        assert_eq!(renewed["renew_time"]["success"], "SUCCESS");
        assert_ne!(renewed["expires"], before["expires"]);
        assert_ne!(renewed["renew_time"]["attempted"], before["renew_time"]["attempted"]);

        fleet.controllers.inject_fault(OLD, FaultOrder::once(ControllerFault::RenewalFails)).await.unwrap();
        assert_eq!(admin.ask(Method::PUT, &path, "").await.status, StatusCode::NO_CONTENT);
        fleet.pass(10);
        let failed = shown().await;
        assert_eq!((&failed["renew_time"]["success"], &failed["expires"]), (&json!("FAILED"), &renewed["expires"]));
        assert!(failed["renew_time"]["failure"].as_str().unwrap().contains("cannot be reached"), "{failed}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_the_one_fails_with_a_reason_and_may_be_followed_by_the_right_one() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    admin.order(Method::DELETE, "/licensing/deregistration").await;
    for (token, reason) in [("is-invalid", "not valid"), ("long-expired", "expired"), ("another", "not found")] {
        assert_eq!(register(&admin, token).await, StatusCode::NO_CONTENT);
        fleet.pass(15);
        let registration = admin.get("/licensing").await["registration"].clone();
        assert_eq!(registration["status"], "FAILED");
        assert!(registration["register_time"]["failure"].as_str().unwrap().contains(reason), "{registration}");
        assert_eq!(admin.ask(Method::PUT, "/licensing/registration/renew", "").await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(register(&admin, "no spaces").await, StatusCode::BAD_REQUEST);
    fleet.controllers.inject_fault(NEW, FaultOrder::once(ControllerFault::RegistrationFails)).await.unwrap();
    assert_eq!(register(&admin, LICENCE_TOKEN).await, StatusCode::NO_CONTENT);
    fleet.pass(20);
    assert_eq!(standing(&admin).await, both("FAILED", "EVAL"));
    assert_eq!(register(&admin, LICENCE_TOKEN).await, StatusCode::NO_CONTENT);
    fleet.pass(20);
    assert_eq!(standing(&admin).await, both("COMPLETED", "IN_COMPLIANCE"));
}

#[tokio::test]
async fn an_unheard_deregistration_answers_202_and_is_done_here() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    fleet.controllers.inject_fault(OLD, FaultOrder::once(ControllerFault::DeregistrationUnheard)).await.unwrap();
    let answer = admin.ask(Method::DELETE, "/licensing/deregistration", "").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""));
    assert_eq!(standing(&admin).await, both("NOT_REGISTERED", "EVAL"));
    assert_eq!(fleet.controllers.taken_seats(), Ok(vec![OLD.to_owned()]), "the smart account does not know");
}

#[tokio::test]
async fn a_seat_is_given_back_by_a_deregistration_and_not_by_an_end() {
    let fleet = Fleet::ready(OLD).await;
    let taken = || fleet.controllers.taken_seats().unwrap();
    let admin = fleet.admin(OLD).await;
    assert_eq!(taken(), [OLD]);
    admin.order(Method::DELETE, "/licensing/deregistration").await;
    assert_eq!(taken(), [""; 0]);
    assert_eq!(register(&admin, LICENCE_TOKEN).await, StatusCode::NO_CONTENT);
    assert_eq!(taken(), [""; 0]);
    fleet.pass(15);
    admin.get("/licensing").await;
    assert_eq!(taken(), [OLD]);
    fleet.controllers.forget(OLD);
    assert_eq!(taken(), [OLD], "terminated with its licence: the seat leaked");
}

#[tokio::test]
async fn no_more_nodes_start_than_are_licensed_and_what_the_fabric_does_takes_no_seat() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    assert_eq!(set_nodes(&admin, 501).await, StatusCode::BAD_REQUEST);
    assert_eq!(set_nodes(&admin, 0).await, StatusCode::NO_CONTENT);
    fleet.controllers.seed_lab(OLD, "Nineteen", 19, true).unwrap();
    let (lab, [first, _]) = admin.make_lab("Two more").await;
    let switch = json!({ "label": "sw", "node_definition": "unmanaged_switch" });
    admin.post(&format!("/labs/{lab}/nodes"), switch).await;

    let answer = admin.ask(Method::PUT, &format!("/labs/{lab}/start"), "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let said = "Licensing issue: Starting 2 nodes exceeds the licensed limit of 20 nodes (1 left).";
    assert_eq!(answer.json()["description"], said);
    assert_eq!(admin.get(&format!("/labs/{lab}/state")).await, "DEFINED_ON_CORE", "nothing half started");
    admin.order(Method::PUT, &format!("/labs/{lab}/nodes/{first}/state/start")).await;

    assert_eq!(set_nodes(&admin, 1).await, StatusCode::NO_CONTENT);
    assert_eq!(admin.get("/licensing").await["features"][1]["in_use"], 1);
    admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
    assert_eq!(admin.get("/diagnostics/licensing").await["started"], 21);
    assert_eq!(admin.get("/system_stats").await["computes"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn transport_and_product_are_kept_and_nonsense_is_refused() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let transport =
        json!({ "ssms": "https://ssms.example.com/x", "proxy": { "server": "proxy.example.com", "port": 80 } });
    let put = |path: &'static str, body: Value| admin.ask(Method::PUT, path, body.to_string());
    assert_eq!(put("/licensing/transport", transport).await.status, StatusCode::NO_CONTENT);
    assert_eq!(put("/licensing/product_license", json!("CML_Personal40")).await.status, StatusCode::NO_CONTENT);
    for product in [json!("CML_Toaster"), json!("two words"), json!(""), json!({ "name": "CML_Personal" })] {
        assert_eq!(
            put("/licensing/product_license", product.clone()).await.status,
            StatusCode::BAD_REQUEST,
            "{product}"
        );
    }
    for ssms in ["ftp://ssms.example.com", ""] {
        let transport = json!({ "ssms": ssms, "proxy": { "server": null, "port": null } });
        assert_eq!(put("/licensing/transport", transport).await.status, StatusCode::BAD_REQUEST, "{ssms}");
    }
    let licence = admin.get("/licensing").await;
    assert_eq!(licence["transport"]["proxy"], json!({ "server": "proxy.example.com", "port": 80 }));
    assert_eq!(licence["product_license"], json!({ "active": "CML_Personal40", "is_enterprise": false }));
    assert_eq!(admin.get("/diagnostics/licensing").await["quota"], 40);
}

#[tokio::test]
async fn the_licence_is_the_administrators() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    admin.post("/users", json!({ "username": "ada", "password": "pw" })).await;
    let ada = fleet.client(OLD, "ada", "pw").await;
    let registration = json!({ "token": LICENCE_TOKEN }).to_string();
    let transport = json!({ "ssms": null, "proxy": { "server": null, "port": null } }).to_string();
    for (method, path, body) in [
        (Method::GET, "/licensing", String::new()),
        (Method::GET, "/licensing/reservation/mode", String::new()),
        (Method::PUT, "/licensing/transport", transport),
        (Method::PUT, "/licensing/product_license", "\"CML_Personal\"".into()),
        (Method::POST, "/licensing/registration", registration),
        (Method::PUT, "/licensing/registration/renew", String::new()),
        (Method::PUT, "/licensing/authorization/renew", String::new()),
        (Method::DELETE, "/licensing/deregistration", String::new()),
        (Method::PATCH, "/licensing/features", json!([{ "id": NODE_COUNT, "count": 1 }]).to_string()),
        (Method::GET, "/diagnostics/licensing", String::new()),
    ] {
        assert_eq!(ada.ask(method.clone(), path, body).await.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(standing(&admin).await, both("COMPLETED", "IN_COMPLIANCE"));
}
