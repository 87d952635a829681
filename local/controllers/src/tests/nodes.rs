use super::*;

#[tokio::test]
async fn every_kind_of_node_is_listed_boots_in_its_time_and_some_at_once() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let kinds = admin.get("/simplified_node_definitions").await;
    let kinds: Vec<&str> = kinds.as_array().unwrap().iter().map(|kind| kind["id"].as_str().unwrap()).collect();
    for kind in ["alpine", "iosv", "iosvl2", "csr1000v", "cat8000v", "ubuntu", "server"] {
        assert!(kinds.contains(&kind), "{kind}");
    }
    assert!(kinds.is_sorted());
    let images = admin.get("/image_definitions").await;
    let images = images.as_array().unwrap().iter().map(|image| image["node_definition_id"].as_str().unwrap());
    let machines: Vec<&str> =
        kinds.iter().copied().filter(|kind| !["external_connector", "unmanaged_switch"].contains(kind)).collect();
    assert_eq!(images.collect::<Vec<_>>(), machines);

    let lab = admin.post("/labs", json!({ "title": "One of each" })).await["id"].as_str().unwrap().to_owned();
    for kind in &kinds {
        let node = json!({ "label": kind, "node_definition": kind });
        admin.post(&format!("/labs/{lab}/nodes?populate_interfaces=true"), node).await;
    }
    admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
    let booted = || async {
        let nodes = admin.get(&format!("/labs/{lab}/nodes?data=true")).await;
        let booted = nodes.as_array().unwrap().iter().filter(|node| node["state"] == "BOOTED");
        booted.map(|node| node["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(booted().await, ["external_connector", "unmanaged_switch"]);
    fleet.pass(30);
    assert_eq!(booted().await, ["alpine", "external_connector", "server", "unmanaged_switch"]);
    fleet.pass(270);
    assert_eq!(booted().await, kinds);
}

#[tokio::test]
async fn only_the_new_version_knows_that_a_node_is_starting() {
    for (instance, shown) in [(OLD, "STARTED"), (NEW, "STARTING")] {
        let fleet = Fleet::ready(instance).await;
        let admin = fleet.admin(instance).await;
        let (lab, [first, _]) = admin.make_lab("Starting").await;
        admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
        fleet.pass(3);
        assert_eq!(admin.get(&format!("/labs/{lab}/nodes/{first}/state")).await["state"], shown);
        assert_eq!(admin.get(&format!("/labs/{lab}/lab_element_state")).await["nodes"][&first], shown);
        assert_eq!(admin.get(&format!("/labs/{lab}/topology")).await["nodes"][0]["state"], shown);
        fleet.pass(3);
        assert_eq!(admin.get(&format!("/labs/{lab}/nodes/{first}")).await["state"], "STARTED");
    }
}

#[tokio::test]
async fn the_running_configuration_differs_from_the_stored_one_until_it_is_extracted() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let (lab, [first, second]) = admin.make_lab("Extracted").await;
    let path = format!("/labs/{lab}/nodes/{first}");
    let extraction = format!("{path}/extract_configuration");
    let extract = || admin.ask(Method::PUT, &extraction, "");
    assert_eq!(extract().await.status, StatusCode::BAD_REQUEST, "it does not run");
    admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
    fleet.pass(119);
    assert_eq!(extract().await.status, StatusCode::BAD_REQUEST, "it has not booted");
    fleet.pass(1);
    assert_eq!(admin.get(&path).await["configuration"], "!");

    let running = "! Last configuration change at 08:05:00 UTC Mon Mar 2 2026\n!\n";
    fleet.pass(600);
    for _ in 0..2 {
        assert_eq!(extract().await.json(), running, "the same each time within one run");
    }
    assert_eq!(admin.get(&path).await["configuration"], running);
    assert_eq!(admin.get(&format!("/labs/{lab}/nodes/{second}")).await["configuration"], "!");

    let file = admin.ask(Method::GET, &format!("/labs/{lab}/download"), "").await.text;
    let copy = admin.ask(Method::POST, "/import", file).await.json()["id"].as_str().unwrap().to_owned();
    let nodes = admin.get(&format!("/labs/{copy}/nodes?data=true")).await;
    assert_eq!((&nodes[0]["configuration"], &nodes[1]["configuration"]), (&json!(running), &json!("!")));
}

#[tokio::test]
async fn named_configuration_files_and_none_at_all_are_extracted_too() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    let lab = admin.post("/labs", json!({ "title": "Files" })).await["id"].as_str().unwrap().to_owned();
    let files = json!([{ "name": "boot.sh", "content": "echo" }, { "name": "more", "content": "as it is" }]);
    let mut extracted = Vec::new();
    for node in [
        json!({ "label": "files", "node_definition": "alpine", "configuration": files }),
        json!({ "label": "none", "node_definition": "alpine" }),
        json!({ "label": "wire", "node_definition": "unmanaged_switch" }),
    ] {
        let id = admin.post(&format!("/labs/{lab}/nodes"), node).await["id"].as_str().unwrap().to_owned();
        let path = format!("/labs/{lab}/nodes/{id}");
        admin.order(Method::PUT, &format!("{path}/state/start")).await;
        fleet.pass(30);
        extracted.push(admin.ask(Method::PUT, &format!("{path}/extract_configuration"), "").await);
    }
    let [files, none, wire] = extracted.try_into().unwrap();
    let first = "# Last configuration change at 08:03:30 UTC Mon Mar 2 2026\necho\n";
    assert_eq!(
        files.json(),
        json!([{ "name": "boot.sh", "content": first }, { "name": "more", "content": "as it is" }])
    );
    assert_eq!(none.json(), "# Last configuration change at 08:04:00 UTC Mon Mar 2 2026\nhostname none\n");
    assert_eq!(wire.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_console_log_grows_while_a_node_boots_and_is_cut_to_its_last_lines() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let (lab, [first, _]) = admin.make_lab("Log").await;
    let path = format!("/labs/{lab}/nodes/{first}/consoles/0/log");
    assert_eq!(admin.get(&path).await, "");
    admin.order(Method::PUT, &format!("/labs/{lab}/start")).await;
    fleet.pass(40);
    let log = admin.get(&path).await;
    assert_eq!(log, "|0|iosv: powered on\r\n|30000|r1: 768 MiB of memory, 1 CPU");
    fleet.pass(80);
    assert_eq!(admin.get(&format!("{path}?lines=1")).await, "|120000|r1 login:");
    for bad in [path.replace("/0/", "/1/"), format!("{path}?lines=all")] {
        assert_eq!(admin.ask(Method::GET, &bad, "").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}
