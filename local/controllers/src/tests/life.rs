use super::*;
use crate::{POLLER_PASSWORD, POLLER_USERNAME};

#[tokio::test]
async fn a_lab_starts_converges_stops_is_wiped_and_deleted() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let (lab, [first, _]) = admin.make_lab("Life").await;
    let lab = format!("/labs/{lab}");
    let state = || async {
        let state = admin.get(&format!("{lab}/state")).await;
        let node = admin.get(&format!("{lab}/nodes/{first}/state")).await;
        let converged = admin.get(&format!("{lab}/check_if_converged")).await;
        (state.as_str().unwrap().to_owned(), node["state"].as_str().unwrap().to_owned(), converged == true)
    };
    let shows = |lab: &str, node: &str, converged| (lab.to_owned(), node.to_owned(), converged);

    assert_eq!(state().await, shows("DEFINED_ON_CORE", "DEFINED_ON_CORE", true));
    admin.order(Method::PUT, &format!("{lab}/start")).await;
    assert_eq!(state().await, shows("STARTED", "QUEUED", false));
    fleet.pass(10);
    assert_eq!(state().await, shows("STARTED", "STARTED", false));
    fleet.pass(110);
    assert_eq!(state().await, shows("STARTED", "BOOTED", true));
    assert_eq!(admin.ask(Method::PUT, &format!("{lab}/wipe"), "").await.status, StatusCode::BAD_REQUEST);

    admin.order(Method::PUT, &format!("{lab}/stop")).await;
    assert_eq!(state().await, shows("STARTED", "BOOTED", false));
    fleet.pass(5);
    assert_eq!(state().await, shows("STOPPED", "STOPPED", true));
    assert_eq!(admin.ask(Method::DELETE, &lab, "").await.status, StatusCode::BAD_REQUEST);
    admin.order(Method::PUT, &format!("{lab}/wipe")).await;
    admin.order(Method::DELETE, &lab).await;
    assert_eq!(admin.ask(Method::GET, &lab, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_lab_starts_before_a_compute_is_ready() {
    let fleet = Fleet::on(Documents::in_memory().unwrap(), start());
    fleet.controllers.sync(&[running(OLD, start())]).await;
    let lab = fleet.controllers.seed_lab(OLD, "Early", 1, false).unwrap();
    fleet.pass(150);
    let admin = fleet.admin(OLD).await;
    let answer = admin.ask(Method::PUT, &format!("/labs/{lab}/start"), "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    fleet.pass(30);
    admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
}

#[tokio::test]
async fn numbers_follow_the_labs() {
    let fleet = Fleet::ready(OLD).await;
    let idle = fleet.controllers.load(OLD);
    fleet.controllers.seed_lab(OLD, "Busy", 8, true).unwrap();
    fleet.pass(60);
    let busy = fleet.controllers.load(OLD);
    assert_eq!((idle.running_nodes, busy.running_nodes), (0, 8));
    assert!(busy.cpu_percent > idle.cpu_percent && busy.memory_percent > idle.memory_percent, "{idle:?} {busy:?}");
    assert!(busy.network_bytes_per_second > idle.network_bytes_per_second);

    let stats = fleet.admin(OLD).await.get("/system_stats").await;
    let (_, compute) = stats["computes"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(compute["stats"]["dominfo"]["running_nodes"], 8);
    assert_eq!(stats["all"]["cpu"]["percent"].as_f64(), Some(busy.cpu_percent));
}

#[tokio::test]
async fn telemetry_tells_who_did_what_among_what_the_machine_says() {
    let fleet = Fleet::ready(OLD).await;
    let poller = fleet.client(OLD, POLLER_USERNAME, POLLER_PASSWORD).await;
    let users = poller.get("/users").await;
    let poller_id =
        users.as_array().unwrap().iter().find(|user| user["username"] == POLLER_USERNAME).unwrap()["id"].clone();
    let lab = fleet.controllers.seed_lab(OLD, "Watched", 1, true).unwrap();
    fleet.pass(20 * 60);
    fleet.controllers.record_activity(OLD, "admin", "packet_capture").unwrap();

    let events = poller.get("/telemetry/events").await;
    let events = events.as_array().unwrap();
    let told: Vec<&str> = events.iter().map(|event| event["category"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "user_activity",
            "import_lab",
            "start_lab",
            "start_node",
            "queue_node",
            "boot_node",
            "system_stats",
            "running_nodes",
            "packet_capture",
        ]
    );
    assert_eq!(events[0]["data"]["user_id"], poller_id);
    assert_eq!(events[2]["data"], json!({ "user_id": crate::ADMIN_ID, "lab_id": lab }));
    assert_eq!(events[7]["data"]["running_nodes"], 1);
    let times: Vec<Timestamp> = events.iter().map(|e| e["timestamp"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");

    for (user, kind) in [("nobody", "user_activity"), ("admin", "wipe_lab")] {
        fleet.controllers.record_activity(OLD, user, kind).unwrap_err();
    }
    fleet.controllers.record_activity(NEW, "admin", "user_activity").unwrap_err();
}

#[tokio::test]
async fn the_feed_keeps_its_newest_entries_only() {
    let fleet = Fleet::ready(OLD).await;
    fleet.controllers.record_activity(OLD, "admin", "user_activity").unwrap();
    // Far more quarters of an hour than the feed has room for.
    fleet.pass(60 * 86_400);
    let admin = fleet.admin(OLD).await;
    let events = admin.get("/telemetry/events").await;
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), 4_000);
    assert_eq!(events.last().unwrap()["category"], "user_activity");
    assert!(events[..3_999].iter().all(|event| event["category"] != "user_activity"));
}
