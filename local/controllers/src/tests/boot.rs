use super::*;

async fn information(fleet: &Fleet) -> Answer {
    fleet.ask(OLD, Method::GET, "/system_information", "", "").await
}

#[tokio::test]
async fn a_controller_boots_in_stages() {
    let fleet = Fleet::on(Documents::in_memory().unwrap(), start());
    fleet.controllers.sync(&[running(OLD, start())]).await;

    fleet.pass(60);
    let answer = information(&fleet).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.text.starts_with("<html>"), "{}", answer.text);

    fleet.pass(60);
    assert_eq!(information(&fleet).await.json()["ready"], false);
    fleet.pass(60);
    let answer = information(&fleet).await.json();
    assert_eq!((answer["ready"].as_bool(), answer["version"].as_str()), (Some(true), Some("2.9.1+build.7")));
}

#[tokio::test]
async fn over_tls_nothing_answers_at_first_and_then_the_controller_does() {
    // Of another test, at worst: there is only this one to choose.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
    let fleet = Fleet::on(Documents::in_memory().unwrap(), start());
    fleet.controllers.sync(&[running(NEW, start())]).await;
    let access = fleet.controllers.access(NEW).unwrap();
    let url = format!("{}/api/v0/system_information", access.url);

    assert!(client.get(&url).send().await.is_err());
    fleet.pass(180);
    let answer: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!((answer["ready"].as_bool(), answer["version"].as_str()), (Some(true), Some("2.10.0+build.4")));

    // The connection just used is kept alive, and yet ends with the machine.
    fleet.controllers.sync(&[]).await;
    assert_eq!(fleet.controllers.access(NEW), None);
    assert!(client.get(&url).send().await.is_err());
}

#[tokio::test]
async fn a_reboot_stops_nodes_and_a_restart_of_the_stack_does_not() {
    let documents = Documents::in_memory().unwrap();
    let first = Fleet::on(documents.clone(), start());
    first.controllers.sync(&[running(OLD, start())]).await;
    first.pass(180);
    let lab = first.controllers.seed_lab(OLD, "Demo", 3, true).unwrap();
    let pems = first.controllers.running_machine(OLD).unwrap().pems();
    let token = first.sign_in_as(OLD, ADMIN_USERNAME, ADMIN_PASSWORD).await.json();
    first.controllers.shutdown().await;

    let later = start() + SignedDuration::from_mins(10);
    let second = Fleet::on(documents, later);
    second.controllers.sync(&[running(OLD, start())]).await;
    assert_eq!(second.controllers.running_machine(OLD).unwrap().pems(), pems);
    assert_eq!(second.controllers.load(OLD).running_nodes, 3);
    let answer = second.ask(OLD, Method::GET, "/labs", token.as_str().unwrap(), "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "tokens end with the process");

    second.controllers.sync(&[]).await;
    assert_eq!(second.controllers.load(OLD), crate::Load::default());
    second.controllers.sync(&[running(OLD, later)]).await;
    second.pass(180);
    let admin = second.admin(OLD).await;
    assert_eq!(admin.get(&format!("/labs/{lab}/state")).await, "STOPPED");
    assert_eq!(second.controllers.running_machine(OLD).unwrap().pems(), pems);
}

#[tokio::test]
async fn a_forgotten_controller_comes_back_as_a_new_one() {
    let fleet = Fleet::ready(OLD).await;
    fleet.controllers.seed_lab(OLD, "Demo", 1, false).unwrap();
    let pems = fleet.controllers.running_machine(OLD).unwrap().pems();
    fleet.controllers.forget(OLD);
    assert_eq!(fleet.controllers.address(OLD), None);
    fleet.controllers.sync(&[running(OLD, start())]).await;
    assert_ne!(fleet.controllers.running_machine(OLD).unwrap().pems(), pems);
    let admin = fleet.admin(OLD).await;
    assert_eq!(admin.get("/labs?show_all=true").await, json!([]));
    assert_eq!(admin.get("/telemetry/events").await.as_array().unwrap().iter().filter(is_import).count(), 0);
}

fn is_import(event: &&Value) -> bool {
    event["category"] == "import_lab"
}
