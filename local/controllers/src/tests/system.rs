use app::ports::Clock as _;

use super::*;

#[tokio::test]
async fn a_notice_is_made_changed_acknowledged_and_taken_away() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let ada = admin.post("/users", json!({ "username": "ada", "password": "pw" })).await["id"].clone();
    let user = fleet.client(OLD, "ada", "pw").await;
    let notice = json!({ "level": "WARNING", "label": "Stops at six", "content": "Save your work.", "enabled": false });
    assert_eq!(user.ask(Method::POST, "/system/notices", notice.to_string()).await.status, StatusCode::FORBIDDEN);
    let made = admin.post("/system/notices", notice).await;
    assert_eq!(made["acknowledged"][ada.as_str().unwrap()], false);
    let path = format!("/system/notices/{}", made["id"].as_str().unwrap());
    assert_eq!(user.get("/system/notices").await, json!([]), "it is not shown yet");

    admin.ask(Method::PATCH, &path, json!({ "enabled": true }).to_string()).await;
    let seen = json!({ "acknowledged": { ada.as_str().unwrap(): true } }).to_string();
    assert_eq!(user.ask(Method::PATCH, &path, seen).await.status, StatusCode::OK);
    let shown = user.get("/system/notices").await;
    assert_eq!(
        (&shown[0]["label"], &shown[0]["acknowledged"][ada.as_str().unwrap()]),
        (&json!("Stops at six"), &json!(true))
    );
    assert_eq!(user.ask(Method::DELETE, &path, "").await.status, StatusCode::FORBIDDEN);
    for (field, value) in [("label", json!("")), ("content", json!("x".repeat(8_193))), ("level", json!("LOUD"))] {
        let body = json!({ field: value }).to_string();
        assert_eq!(admin.ask(Method::PATCH, &path, body).await.status, StatusCode::BAD_REQUEST, "{field}");
    }

    let mode = json!({ "maintenance_mode": true, "notice": made["id"] }).to_string();
    admin.ask(Method::PATCH, "/system/maintenance_mode", mode).await;
    let mode = fleet.ask(OLD, Method::GET, "/system/maintenance_mode", "", "").await.json();
    assert_eq!((&mode["maintenance_mode"], &mode["resolved_notice"]["label"]), (&json!(true), &json!("Stops at six")));
    assert_eq!(fleet.sign_in_as(OLD, "ada", "pw").await.status, StatusCode::FORBIDDEN);
    admin.order(Method::DELETE, &path).await;
    let mode =
        admin.ask(Method::PATCH, "/system/maintenance_mode", json!({ "maintenance_mode": false }).to_string()).await;
    assert_eq!(mode.json(), json!({ "maintenance_mode": false, "notice": null, "resolved_notice": null }));
    assert_eq!(admin.get("/system/notices").await, json!([]));
}

#[tokio::test]
async fn the_inside_is_told_by_category() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    let (lab, [first, _]) = admin.make_lab("Inside").await;
    admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
    assert_eq!(admin.get("/diagnostics/node_launch_queue").await.as_array().unwrap().len(), 2);
    fleet.pass(120);
    let hosts = admin.get("/system/compute_hosts").await;
    assert_eq!((&hosts[0]["admission_state"], &hosts[0]["node_counts"]["running_nodes"]), (&json!("READY"), &json!(2)));
    let labs = admin.get("/diagnostics/labs").await;
    assert_eq!(labs[&lab]["nodes"][&first]["state_times"], json!({ "QUEUED": 2, "STARTED": 118, "BOOTED": 0 }));
    let events = admin.get("/diagnostics/lab_events").await;
    assert_eq!(events[&lab], admin.get(&format!("/labs/{lab}/events")).await);
    for category in ["computes", "services", "node_definitions", "user_list", "startup_scheduler"] {
        let told = admin.get(&format!("/diagnostics/{category}")).await;
        assert_ne!((&told, told.to_string().len() > 2), (&Value::Null, false), "{category}");
    }
    assert_eq!(admin.ask(Method::GET, "/diagnostics/weather", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_lab_starts_with_its_machine_once_in_each_boot_on_the_new_version_only() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    let (lab, _) = admin.make_lab("By itself").await;
    let wish = json!({ "autostart": { "enabled": true, "priority": 1, "delay": 60 } }).to_string();
    let changed = admin.ask(Method::PATCH, &format!("/labs/{lab}"), wish.clone()).await.json();
    assert_eq!(changed["autostart"], json!({ "enabled": true, "priority": 1, "delay": 60 }));
    fleet.pass(60);
    assert_eq!(admin.get(&format!("/labs/{lab}/state")).await, "STARTED", "not ready for a minute when it was wished");
    admin.order(Method::PUT, &format!("/labs/{lab}/stop")).await;
    fleet.pass(600);
    assert_eq!(admin.get(&format!("/labs/{lab}/state")).await, "STOPPED", "once");
    let too_late = json!({ "autostart": { "enabled": true, "priority": 1, "delay": 5 } }).to_string();
    admin.ask(Method::PATCH, &format!("/labs/{lab}"), too_late).await;
    assert_eq!(admin.get(&format!("/labs/{lab}/state")).await, "STOPPED");

    fleet.controllers.sync(&[]).await;
    let again = fleet.fleet_clock.now();
    fleet.controllers.sync(&[running(NEW, again)]).await;
    fleet.pass(186);
    let admin = fleet.admin(NEW).await;
    assert_eq!(admin.get(&format!("/labs/{lab}/state")).await, "STARTED");
    let events = admin.get("/telemetry/events").await;
    let by_itself: Vec<&Value> =
        events.as_array().unwrap().iter().filter(|event| event["category"] == "lab_autostart").collect();
    assert_eq!(by_itself.len(), 2);
    assert_eq!(by_itself[1]["data"], json!({ "lab_id": lab }), "nobody did it");

    let old = Fleet::ready(OLD).await;
    let admin = old.admin(OLD).await;
    let (lab, _) = admin.make_lab("Never").await;
    assert_eq!(admin.ask(Method::PATCH, &format!("/labs/{lab}"), wish).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(admin.get(&format!("/labs/{lab}")).await.get("autostart"), None);
}

#[tokio::test]
async fn a_controller_remembered_by_an_older_process_still_loads() {
    let documents = Documents::in_memory().unwrap();
    let first = Fleet::on(documents.clone(), start());
    first.controllers.sync(&[running(OLD, start())]).await;
    let lab = first.controllers.seed_lab(OLD, "Old", 1, true).unwrap();
    first.controllers.shutdown().await;
    let mut remembered: Value = documents.get("cml-controller", OLD).unwrap().unwrap();
    for added in ["notices", "maintenance"] {
        remembered.as_object_mut().unwrap().remove(added).unwrap();
    }
    for added in ["autostart", "node_staging", "autostarted_at"] {
        remembered["labs"][0].as_object_mut().unwrap().remove(added).unwrap();
    }
    let licence = remembered["licence"].as_object_mut().unwrap();
    licence.retain(|field, _| field == "registered_at" || field == "product");
    // As a user may once have named a kind of node that is not known any more.
    remembered["labs"][0]["nodes"][0]["spec"]["node_definition"] = json!("toaster");
    documents.put("cml-controller", OLD, &remembered).unwrap();

    let second = Fleet::on(documents, start());
    second.controllers.sync(&[running(OLD, start())]).await;
    second.pass(180);
    let admin = second.admin(OLD).await;
    assert_eq!(admin.get("/licensing").await["registration"]["status"], "COMPLETED");
    assert_eq!(admin.get("/diagnostics/licensing").await["quota"], 120);
    assert_eq!(admin.get(&format!("/labs/{lab}/nodes?data=true")).await[0]["state"], "BOOTED");
}
