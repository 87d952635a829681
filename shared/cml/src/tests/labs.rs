//! Labs, one by one: what is read of them, and what is done with them.

use app::ports::{
    Autostart, CmlErrorKind, CmlLab, CmlLabs, CmlState, ElementStates, LabChange, LabEvent, LinkStatistics,
    NodeStaging, NodeStatistics, TopologyLink, TopologyNode,
};
use serde_json::Value;

use super::*;

pub(super) const LAB: &str = "b7e1c0aa-6d52-4f0c-8a3e-0d5f3c1e9a10";

/// A lab of the 2.9 shape.
pub(super) fn lab(id: &str) -> Value {
    json!({
        "id": id,
        "created": "2026-01-05T09:10:11+00:00",
        "modified": "2026-02-01T10:20:30+00:00",
        "lab_title": "Branch office",
        "lab_description": "Two routers",
        "lab_notes": "",
        "owner": "00000000-0000-4000-a000-000000000000",
        "owner_username": "admin",
        "owner_fullname": "",
        "state": "STARTED",
        "node_count": 2,
        "link_count": 1,
        "groups": [],
        "effective_permissions": ["lab_view", "lab_admin"],
    })
}

#[tokio::test]
async fn a_lab_is_read_field_by_field() {
    let controller = Controller::saying(lab(LAB)).await;
    let seen = controller.client.lab(controller.access(), LAB).await.unwrap();
    let expected = CmlLab {
        id: LAB.into(),
        title: Some("Branch office".into()),
        description: Some("Two routers".into()),
        notes: Some(String::new()),
        state: Some(CmlState::Started),
        owner_id: Some("00000000-0000-4000-a000-000000000000".into()),
        owner_username: Some("admin".into()),
        owner_fullname: Some(String::new()),
        node_count: Some(2),
        link_count: Some(1),
        created_at: time("2026-01-05T09:10:11Z"),
        modified_at: time("2026-02-01T10:20:30Z"),
        permissions: vec!["lab_view".into(), "lab_admin".into()],
        autostart: None,
        node_staging: None,
    };
    assert_eq!(seen, expected);
    assert_eq!(controller.lines(), [format!("GET /api/v0/labs/{LAB}")]);
}

#[tokio::test]
async fn version_2_10_tells_autostart_and_staging_and_an_unknown_state_is_kept() {
    let mut answer = lab(LAB);
    answer["autostart"] = json!({"enabled": true, "priority": 10, "delay": 60});
    answer["node_staging"] = json!({"enabled": false, "start_remaining": true, "abort_on_failure": null});
    answer["state"] = json!("PAUSED");
    let controller = Controller::saying(answer).await;
    let seen = controller.client.lab(controller.access(), LAB).await.unwrap();
    assert_eq!(seen.autostart, Some(Autostart { enabled: Some(true), priority: Some(10), delay_secs: Some(60) }));
    let staging = NodeStaging { enabled: Some(false), start_remaining: Some(true), abort_on_failure: None };
    assert_eq!(seen.node_staging, Some(staging));
    assert_eq!(seen.state, Some(CmlState::Other("PAUSED".into())));
}

#[tokio::test]
async fn a_lab_that_is_not_there_is_refused_in_cml_s_words() {
    let controller = Controller::start(|_| refusal(404, &format!("Lab not found: {LAB}"))).await;
    let error = controller.client.lab(controller.access(), LAB).await.unwrap_err();
    assert_eq!(error.to_string(), format!("CML GET /labs/{{lab_id}}: Lab not found: {LAB}"));
    assert_eq!((error.kind, error.status), (CmlErrorKind::Refused, Some(404)));
}

#[tokio::test]
async fn what_is_done_with_a_lab_is_asked_as_cml_s_own_client_asks() {
    let controller = Controller::start(|request| match request.line.split(' ').next() {
        Some("POST") => Answer::json(&lab(LAB)),
        Some("PATCH") => Answer::json(&json!("Lab updated")),
        _ => no_content(),
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    let new = LabChange { title: Some("Branch office"), ..LabChange::default() };
    assert_eq!(client.create_lab(access, new).await.unwrap().id, LAB);
    let change = LabChange { title: None, description: Some("d"), notes: Some("") };
    client.update_lab(access, LAB, change).await.unwrap();
    client.start_lab(access, LAB).await.unwrap();
    client.stop_lab(access, LAB).await.unwrap();
    client.wipe_lab(access, LAB).await.unwrap();
    client.delete_lab(access, LAB).await.unwrap();
    let expected = [
        r#"POST /api/v0/labs {"title":"Branch office"}"#.to_owned(),
        format!(r#"PATCH /api/v0/labs/{LAB} {{"description":"d","notes":""}}"#),
        format!("PUT /api/v0/labs/{LAB}/start"),
        format!("PUT /api/v0/labs/{LAB}/stop"),
        format!("PUT /api/v0/labs/{LAB}/wipe"),
        format!("DELETE /api/v0/labs/{LAB}"),
    ];
    assert_eq!(controller.lines(), expected);
    let types: Vec<_> = controller.asked().into_iter().map(|request| request.content_type).collect();
    let json = || Some("application/json".to_owned());
    assert_eq!(types, [json(), json(), None, None, None, None]);
    assert_eq!(controller.server.count(SIGN_IN), 1);
}

#[tokio::test]
async fn a_topology_is_imported_as_it_is_and_without_a_content_type() {
    let controller = Controller::saying(json!({"id": LAB, "warnings": ["Node r2: image unknown"]})).await;
    let yaml = "lab:\n  version: 0.3.0\nnodes: []\nlinks: []\n";
    let imported = controller.client.import_lab(controller.access(), yaml, Some("R & D: 100 %")).await.unwrap();
    assert_eq!((imported.id.as_str(), imported.warnings), (LAB, vec!["Node r2: image unknown".to_owned()]));
    controller.client.import_lab(controller.access(), yaml, None).await.unwrap();
    let asked = controller.asked();
    assert_eq!(asked[0].line, "POST /api/v0/import?title=R+%26+D%3A+100+%25");
    assert_eq!((asked[0].body.as_str(), &asked[0].content_type), (yaml, &None));
    assert_eq!(asked[1].line, "POST /api/v0/import");
}

#[tokio::test]
async fn broken_yaml_is_refused_word_for_word() {
    let words = "Bad request: while parsing a block node\nexpected the node content, but found ','\n  in \
                 \"<unicode string>\", line 1, column 1:\n    ,,,\n    ^.";
    let controller = Controller::start(|_| refusal(400, words)).await;
    let error = controller.client.import_lab(controller.access(), ",,,", None).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str(), error.outcome_unknown()), (CmlErrorKind::Refused, words, false));
}

#[tokio::test]
async fn a_download_is_text_up_to_its_limit() {
    let yaml = "lab:\n  title: Büro\n";
    let controller = Controller::start(|_| Answer::Typed("text/yaml", yaml.into())).await;
    assert_eq!(controller.client.download_lab(controller.access(), LAB).await.unwrap(), yaml);
    assert_eq!(controller.lines(), [format!("GET /api/v0/labs/{LAB}/download")]);

    let controller = Controller::start(|_| Answer::Endless).await;
    let error = controller.client.download_lab(controller.access(), LAB).await.unwrap_err();
    let limit = "its answer is larger than 8388608 bytes";
    assert_eq!((error.kind, error.message.as_str()), (CmlErrorKind::Malformed, limit));
}

#[tokio::test]
async fn a_topology_is_read_with_either_name_of_its_ends() {
    let controller = Controller::saying(json!({
        "lab": {"title": "Branch office", "description": "", "notes": null, "owner": "x", "version": "0.3.0"},
        "nodes": [
            {"id": "n0", "label": "r1", "node_definition": "iosv", "image_definition": null, "x": -50, "y": 12.5,
             "state": "BOOTED", "interfaces": [{"id": "i0", "label": "eth0", "type": "physical"}]},
            {"id": "n1", "label": "r2", "node_definition": "alpine", "image_definition": "alpine-3"},
            {"label": "without an id"},
        ],
        "links": [
            {"id": "l0", "interface_a": "i0", "interface_b": "i1", "node_a": "n0", "node_b": "n1", "state": "STARTED"},
            {"id": "l1", "i1": "i2", "i2": "i3", "n1": "n0", "n2": "n1", "label": "r1-r2"},
        ],
        "annotations": [], "smart_annotations": [],
    }))
    .await;
    let topology = controller.client.lab_topology(controller.access(), LAB).await.unwrap();
    assert_eq!((topology.title.as_deref(), topology.notes), (Some("Branch office"), None));
    let r1 = TopologyNode {
        id: "n0".into(),
        label: Some("r1".into()),
        node_definition: Some("iosv".into()),
        image_definition: None,
        state: Some(CmlState::Booted),
        x: Some(-50.0),
        y: Some(12.5),
        interface_count: 1,
    };
    assert_eq!((topology.nodes.len(), &topology.nodes[0]), (2, &r1));
    let ends = |link: &TopologyLink| {
        [&link.node_a, &link.interface_a, &link.node_b, &link.interface_b].map(|end| end.clone().unwrap()).join(" ")
    };
    assert_eq!(topology.links.iter().map(ends).collect::<Vec<_>>(), ["n0 i0 n1 i1", "n0 i2 n1 i3"]);
    assert_eq!(controller.lines(), [format!("GET /api/v0/labs/{LAB}/topology?exclude_configurations=true")]);
}

#[tokio::test]
async fn states_are_told_for_the_lab_and_for_everything_in_it() {
    let controller = Controller::start(|request| match request.line.rsplit('/').next() {
        Some("state") => Answer::json(&json!("STOPPED")),
        Some("check_if_converged") => Answer::json(&json!(false)),
        _ => Answer::json(&json!({
            "nodes": {"n0": "BOOTED", "n1": "STARTING", "n2": null}, "links": {"l0": "STARTED"}, "interfaces": {},
        })),
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    assert_eq!(client.lab_state(access, LAB).await.unwrap(), CmlState::Stopped);
    assert!(!client.lab_converged(access, LAB).await.unwrap());
    let expected = ElementStates {
        nodes: [("n0".into(), CmlState::Booted), ("n1".into(), CmlState::Starting)].into(),
        links: [("l0".into(), CmlState::Started)].into(),
        interfaces: [].into(),
    };
    assert_eq!(client.lab_element_states(access, LAB).await.unwrap(), expected);
    let tails = ["state", "check_if_converged", "lab_element_state"];
    assert_eq!(controller.lines(), tails.map(|tail| format!("GET /api/v0/labs/{LAB}/{tail}")));
}

#[tokio::test]
async fn of_a_lab_s_events_the_newest_thousand_are_kept() {
    let event = |at: usize| {
        json!({"lab_id": LAB, "event": "STATE_CHANGED", "element_type": "node", "element_id": "n0",
               "data": {"state": "BOOTED"}, "previous": null, "timestamp": 1_770_000_000 + at})
    };
    let mut events: Vec<Value> = (0..1_200).map(event).collect();
    events.insert(700, json!("no event"));
    let controller = Controller::saying(events.into()).await;
    let seen = controller.client.lab_events(controller.access(), LAB).await.unwrap();
    let newest = LabEvent {
        event: Some("STATE_CHANGED".into()),
        element_type: Some("node".into()),
        element_id: Some("n0".into()),
        state: Some(CmlState::Booted),
        at: Some(Timestamp::from_second(1_770_001_199).unwrap()),
    };
    assert_eq!((seen.len(), seen.last()), (1_000, Some(&newest)));
    assert_eq!(seen[0].at, Some(Timestamp::from_second(1_770_000_200).unwrap()));
}

#[tokio::test]
async fn statistics_are_read_by_node_and_link() {
    let controller = Controller::saying(json!({
        "nodes": {"n0": {"cpu_usage": 1.5, "block0_rd_bytes": 4096, "block0_wr_bytes": 512,
                         "times": {"QUEUED": 25, "STARTED": 1966.5, "BOOTED": null}}},
        "links": {"l0": {"readbytes": 100, "readpackets": 2, "writebytes": 300, "writepackets": 4, "drops": 0}},
    }))
    .await;
    let seen = controller.client.simulation_statistics(controller.access(), LAB).await.unwrap();
    let node = NodeStatistics {
        node_id: "n0".into(),
        cpu_percent: Some(1.5),
        disk_read_bytes: Some(4_096.0),
        disk_written_bytes: Some(512.0),
        seconds_in_state: [("QUEUED".into(), 25.0), ("STARTED".into(), 1_966.5)].into(),
    };
    let link = LinkStatistics {
        link_id: "l0".into(),
        read_bytes: Some(100.0),
        read_packets: Some(2.0),
        written_bytes: Some(300.0),
        written_packets: Some(4.0),
        drops: Some(0.0),
    };
    assert_eq!((seen.nodes, seen.links), (vec![node], vec![link]));
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_before_anything_is_sent() {
    let controller = Controller::start(|_| no_content()).await;
    for id in ["..", "", "x/../y", "x?y"] {
        let error = controller.client.delete_lab(controller.access(), id).await.unwrap_err();
        assert_eq!((error.kind, error.outcome_unknown()), (CmlErrorKind::Refused, false), "{id}");
    }
    assert_eq!(controller.server.requests(), []);
}
