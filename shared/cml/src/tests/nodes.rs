//! Nodes, and what they can be made of.

use app::ports::{
    CmlDefinitions, CmlErrorKind, CmlNode, CmlNodes, CmlState, ImageDefinition, NodeDefinition, NodeProgress,
};

use super::labs::LAB;
use super::*;

const NODE: &str = "0c1de2f3-aaaa-4bbb-8ccc-0123456789ab";

#[tokio::test]
async fn nodes_are_read_as_they_run() {
    let controller = Controller::saying(json!([
        {"id": NODE, "label": "r1", "node_definition": "iosv", "image_definition": null, "state": "BOOTED",
         "boot_progress": "Booted", "compute_id": null, "cpus": null, "ram": null, "tags": ["core"],
         "operational": {"compute_id": "c-1", "cpus": 2, "ram": 768, "image_definition": "iosv-159"}},
        {"id": "n1", "label": "sw", "node_definition": "unmanaged_switch", "state": "QUEUED", "operational": null,
         "cpus": 1, "ram": 512, "tags": []},
        {"id": "n2", "operational": {}},
        {"label": "no id"},
    ]))
    .await;
    let nodes = controller.client.nodes(controller.access(), LAB).await.unwrap();
    let r1 = CmlNode {
        id: NODE.into(),
        label: Some("r1".into()),
        node_definition: Some("iosv".into()),
        image_definition: Some("iosv-159".into()),
        state: Some(CmlState::Booted),
        boot_progress: Some("Booted".into()),
        compute_id: Some("c-1".into()),
        vcpus: Some(2),
        memory_mib: Some(768),
        tags: vec!["core".into()],
    };
    assert_eq!(nodes[0], r1);
    assert_eq!((&nodes[1].state, nodes[1].vcpus, nodes[1].memory_mib), (&Some(CmlState::Queued), Some(1), Some(512)));
    assert_eq!(nodes[2..], [CmlNode { id: "n2".into(), ..CmlNode::default() }]);
    let query = "data=true&operational=true&exclude_configurations=true";
    assert_eq!(controller.lines(), [format!("GET /api/v0/labs/{LAB}/nodes?{query}")]);
}

#[tokio::test]
async fn what_is_done_with_a_node_is_asked_as_cml_s_own_client_asks() {
    let controller = Controller::start(|request| match request.line.starts_with("GET") {
        true => Answer::json(&json!({"state": "STARTED", "progress": "Booting"})),
        false => no_content(),
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    let expected = NodeProgress { state: CmlState::Started, progress: Some("Booting".into()) };
    assert_eq!(client.node_state(access, LAB, NODE).await.unwrap(), expected);
    client.start_node(access, LAB, NODE).await.unwrap();
    client.stop_node(access, LAB, NODE).await.unwrap();
    client.wipe_node_disks(access, LAB, NODE).await.unwrap();
    client.extract_configuration(access, LAB, NODE).await.unwrap();
    let node = format!("/api/v0/labs/{LAB}/nodes/{NODE}");
    let expected = [
        format!("GET {node}/state"),
        format!("PUT {node}/state/start"),
        format!("PUT {node}/state/stop"),
        format!("PUT {node}/wipe_disks"),
        format!("PUT {node}/extract_configuration"),
    ];
    assert_eq!(controller.lines(), expected);
}

#[tokio::test]
async fn a_node_without_a_state_is_no_answer() {
    let controller = Controller::saying(json!({"progress": "Booted"})).await;
    let error = controller.client.node_state(controller.access(), LAB, NODE).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (CmlErrorKind::Malformed, "its answer has no state"));
}

#[tokio::test]
async fn a_console_is_asked_for_its_last_lines_and_no_more_are_returned() {
    let controller = Controller::saying(json!("one\ntwo\nthree\n")).await;
    let (client, access) = (&controller.client, controller.access());
    assert_eq!(client.console_log(access, LAB, NODE, 0, 2).await.unwrap(), ["two", "three"]);
    assert_eq!(client.console_log(access, LAB, NODE, 1, 0).await.unwrap(), ["three"]);
    client.console_log(access, LAB, NODE, 0, u32::MAX).await.unwrap();
    let consoles = format!("GET /api/v0/labs/{LAB}/nodes/{NODE}/consoles");
    let expected = ["0/log?lines=2", "1/log?lines=1", "0/log?lines=10000"].map(|tail| format!("{consoles}/{tail}"));
    assert_eq!(controller.lines(), expected);
}

#[tokio::test]
async fn definitions_are_read_field_by_field() {
    let controller = Controller::start(|request| match request.line.as_str() {
        "GET /api/v0/node_definitions" => Answer::json(&json!([
            {"id": "iosv", "general": {"nature": "router", "description": "IOSv", "read_only": true},
             "ui": {"label": "IOSv", "visible": true}, "boot": {"timeout": 200, "completed": ["Press RETURN"]},
             "sim": {"linux_native": {"cpus": 1, "ram": 768, "driver": "iosv"}}, "schema_version": "0.0.1"},
            {"id": "external_connector", "sim": {}, "ui": {}, "general": {"nature": "external_connector"}},
        ])),
        _ => Answer::json(&json!([
            {"id": "iosv-159", "node_definition_id": "iosv", "label": "IOSv 15.9", "description": "d",
             "disk_image": "vios-159.qcow2", "read_only": true, "ram": null, "cpus": 2, "schema_version": "0.0.1"},
        ])),
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    let iosv = NodeDefinition {
        id: "iosv".into(),
        label: Some("IOSv".into()),
        description: Some("IOSv".into()),
        nature: Some("router".into()),
        vcpus: Some(1),
        memory_mib: Some(768),
        boot_timeout_secs: Some(200),
        read_only: Some(true),
    };
    let nature = Some("external_connector".to_owned());
    let connector = NodeDefinition { id: "external_connector".into(), nature, ..NodeDefinition::default() };
    assert_eq!(client.node_definitions(access).await.unwrap(), [iosv, connector]);
    let image = ImageDefinition {
        id: "iosv-159".into(),
        node_definition: Some("iosv".into()),
        label: Some("IOSv 15.9".into()),
        description: Some("d".into()),
        disk_image: Some("vios-159.qcow2".into()),
        vcpus: Some(2),
        memory_mib: None,
        read_only: Some(true),
    };
    assert_eq!(client.image_definitions(access).await.unwrap(), [image]);
    assert_eq!(controller.lines(), ["GET /api/v0/node_definitions", "GET /api/v0/image_definitions"]);
}
