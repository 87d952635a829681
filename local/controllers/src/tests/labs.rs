use super::*;

#[tokio::test]
async fn a_download_imports_as_the_same_lab() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    let (lab, _) = admin.make_lab("Round trip").await;
    let file = admin.ask(Method::GET, &format!("/labs/{lab}/download"), "").await.text;
    assert!(file.contains("node_definition: iosv") && file.contains("n1: n0"), "{file}");

    let made = admin.ask(Method::POST, "/import", file.clone()).await.json();
    let copy = made["id"].as_str().unwrap();
    assert_ne!(copy, lab);
    assert_eq!(admin.ask(Method::GET, &format!("/labs/{copy}/download"), "").await.text, file);

    let topology = admin.get(&format!("/labs/{lab}/topology")).await.to_string();
    let made = admin.ask(Method::POST, "/import?title=From%20JSON", topology).await.json();
    let shown = admin.get(&format!("/labs/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(
        (&shown["lab_title"], &shown["node_count"], &shown["link_count"]),
        (&json!("From JSON"), &json!(2), &json!(1))
    );
}

#[tokio::test]
async fn a_file_that_is_no_topology_is_refused_in_words() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let twice =
        "lab: {title: t}\nnodes: [{id: a, label: a, node_definition: x}, {id: a, label: b, node_definition: x}]";
    let loose = "lab: {title: t}\nlinks: [{id: l, n1: a, n2: b, i1: i, i2: i}]";
    for file in [",,,", "nodes: []", "lab: {title: t}\nnodes: [{id: a}]", "{\"lab\": ", twice, loose] {
        let answer = admin.ask(Method::POST, "/import", file).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{file}");
        assert!(answer.json()["description"].as_str().unwrap().starts_with("Bad request: "), "{}", answer.text);
    }
    assert_eq!(admin.get("/labs").await, json!([]));
}

#[tokio::test]
async fn files_of_every_schema_are_read_old_ones_with_their_interfaces_beside_the_nodes() {
    let fleet = Fleet::ready(NEW).await;
    let admin = fleet.admin(NEW).await;
    let nodes = json!([
        { "id": "n0", "label": "a", "node_definition": "alpine", "x": 0, "y": 0, "state": "STOPPED" },
        { "id": "n1", "label": "b", "node_definition": "alpine", "x": 0, "y": 0, "state": "STOPPED" },
    ]);
    let interfaces = json!([
        { "id": "i0", "node": "n0", "label": "eth0", "slot": 0, "state": "STOPPED", "type": "physical" },
        { "id": "i1", "node": "n1", "label": "eth0", "slot": 0, "state": "STOPPED", "type": "physical" },
    ]);
    let links = json!([{ "id": "l0", "n1": "n0", "i1": "i0", "n2": "n1", "i2": "i1" }]);
    for schema in ["0.0.1", "0.0.2", "0.0.3", "0.0.4", "0.0.5", "0.1.0", "0.2.0", "0.2.1", "0.2.2", "0.3.0"] {
        let lab = json!({ "title": schema, "version": schema, "created_timestamp": 1_600_428_834.5, "owner": "cml2" });
        let file = json!({ "lab": lab, "nodes": nodes, "interfaces": interfaces, "links": links });
        let made = admin.post("/import", file).await;
        assert_eq!(made["warnings"], json!([]), "{schema}");
        let lab = admin.get(&format!("/labs/{}", made["id"].as_str().unwrap())).await;
        assert_eq!((&lab["lab_title"], &lab["link_count"]), (&json!(schema), &json!(1)));
    }
    assert_eq!(admin.get("/nodes").await.as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn titles_are_given_changed_and_limited() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let made = admin.post("/labs", json!({})).await;
    assert_eq!(made["lab_title"], "Lab at Mon 08:03 AM");
    let path = format!("/labs/{}", made["id"].as_str().unwrap());
    let changed = admin.ask(Method::PATCH, &path, json!({ "title": "Named", "notes": "n" }).to_string()).await.json();
    assert_eq!((&changed["lab_title"], &changed["lab_notes"]), (&json!("Named"), &json!("n")));
    let answer = admin.ask(Method::PATCH, &path, json!({ "title": "x".repeat(65) }).to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(admin.get(&path).await["lab_title"], "Named");
}

#[tokio::test]
async fn a_node_shows_its_settings_and_goes_with_its_links() {
    let fleet = Fleet::ready(OLD).await;
    let admin = fleet.admin(OLD).await;
    let (lab, [first, second]) = admin.make_lab("Nodes").await;
    let path = format!("/labs/{lab}/nodes/{first}");
    admin.ask(Method::PATCH, &path, json!({ "label": "core", "ram": 1024 }).to_string()).await;
    let node = admin.get(&format!("{path}?operational=true&exclude_configurations=true")).await;
    assert_eq!(
        (&node["label"], &node["ram"], &node["operational"]["ram"]),
        (&json!("core"), &json!(1024), &json!(1024))
    );
    assert_eq!((&node["boot_progress"], node.get("configuration")), (&json!("Not running"), None));

    admin.order(Method::PUT, &format!("{path}/state/start")).await;
    fleet.pass(200);
    assert_eq!(admin.ask(Method::DELETE, &path, "").await.status, StatusCode::BAD_REQUEST);
    let stats = admin.get(&format!("/labs/{lab}/simulation_stats")).await;
    assert_eq!(stats["nodes"][&first]["times"], json!({ "QUEUED": 2, "STARTED": 198, "BOOTED": 80 }));
    assert_eq!(stats["links"], json!({}), "one end is down");
    let states = admin.get(&format!("/labs/{lab}/lab_element_state")).await;
    assert_eq!((&states["nodes"][&first], &states["nodes"][&second]), (&json!("BOOTED"), &json!("DEFINED_ON_CORE")));

    admin.order(Method::PUT, &format!("{path}/state/stop")).await;
    fleet.pass(5);
    admin.order(Method::PUT, &format!("{path}/wipe_disks")).await;
    admin.order(Method::DELETE, &path).await;
    assert_eq!(admin.get(&format!("/labs/{lab}/links")).await, json!([]));
}
