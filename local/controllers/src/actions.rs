//! What people do to labs and nodes, each with its trace in the telemetry.

use crate::failure::Failure;
use crate::machine::Pen;
use crate::model::lab::{Lab, LabState};
use crate::model::new_uuid;
use crate::model::node::{Node, NodeSpec, NodeState, Power};
use crate::model::telemetry::Event;

/// A lab of alpine nodes in a row.
pub(crate) fn alpine_lab(title: &str, nodes: u32, pen: &mut Pen<'_>) -> Lab {
    let mut lab = Lab::new(new_uuid(pen.random), title.to_owned(), pen.user_id.to_owned(), pen.now);
    pen.events.push(Event::of_lab("import_lab", pen.now, pen.user_id, &lab.id));
    for number in 0..nodes {
        let spec = NodeSpec {
            label: format!("alpine-{number}"),
            node_definition: "alpine".into(),
            x: i64::from(number) * 120,
            y: 0,
            image_definition: None,
            configuration: format!("hostname alpine-{number}\n").into(),
            ram: None,
            cpus: None,
            cpu_limit: None,
            data_volume: None,
            boot_disk_size: None,
            hide_links: false,
            tags: Vec::new(),
            parameters: serde_json::Map::new(),
        };
        let mut node = Node::new(new_uuid(pen.random), spec);
        node.add_interface(new_uuid(pen.random));
        lab.nodes.push(node);
    }
    lab
}

fn start_one(node: &mut Node, lab_id: &str, pen: &mut Pen<'_>) -> bool {
    let starts = node.start(pen.now);
    if starts {
        for category in ["start_node", "queue_node"] {
            pen.events.push(Event::of_node(category, pen.now, pen.user_id, lab_id, node));
        }
    }
    starts
}

/// Starts every node that does not run.
pub(crate) fn start_lab(lab: &mut Lab, pen: &mut Pen<'_>) {
    pen.events.push(Event::of_lab("start_lab", pen.now, pen.user_id, &lab.id));
    let mut started = Vec::new();
    for node in &mut lab.nodes {
        if start_one(node, &lab.id, pen) {
            started.push(node.id.clone());
        }
    }
    for node_id in started {
        lab.record_state(pen.now, &node_id, NodeState::Queued);
    }
}

/// Stops every node that runs.
pub(crate) fn stop_lab(lab: &mut Lab, pen: &mut Pen<'_>) {
    pen.events.push(Event::of_lab("stop_lab", pen.now, pen.user_id, &lab.id));
    for node in &mut lab.nodes {
        if node.stop(pen.now) {
            pen.events.push(Event::of_node("stop_node", pen.now, pen.user_id, &lab.id, node));
        }
    }
}

/// Takes the disks of every node away.
pub(crate) fn wipe_lab(lab: &mut Lab, pen: &mut Pen<'_>) -> Result<(), Failure> {
    if lab.state(pen.now) == LabState::Started {
        return Err(Failure::bad_request(format!("cannot wipe lab {}: it is not stopped", lab.id)));
    }
    let ids: Vec<String> = lab.nodes.iter().map(|node| node.id.clone()).collect();
    ids.iter().try_for_each(|id| wipe_node(lab, id, pen))
}

/// Starts one node.
pub(crate) fn start_node(lab: &mut Lab, node_id: &str, pen: &mut Pen<'_>) -> Result<(), Failure> {
    let lab_id = lab.id.clone();
    if start_one(find(lab, node_id)?, &lab_id, pen) {
        lab.record_state(pen.now, node_id, NodeState::Queued);
    }
    Ok(())
}

/// Stops one node.
pub(crate) fn stop_node(lab: &mut Lab, node_id: &str, pen: &mut Pen<'_>) -> Result<(), Failure> {
    let lab_id = lab.id.clone();
    let node = find(lab, node_id)?;
    if node.stop(pen.now) {
        pen.events.push(Event::of_node("stop_node", pen.now, pen.user_id, &lab_id, node));
    }
    Ok(())
}

/// Takes the disk of one node away.
pub(crate) fn wipe_node(lab: &mut Lab, node_id: &str, pen: &mut Pen<'_>) -> Result<(), Failure> {
    let lab_id = lab.id.clone();
    let node = find(lab, node_id)?;
    if node.state(pen.now).runs() {
        return Err(Failure::bad_request(format!("cannot wipe node {node_id}: it is not stopped")));
    }
    if node.power != Power::Wiped {
        node.power = Power::Wiped;
        pen.events.push(Event::of_node("wipe_node", pen.now, pen.user_id, &lab_id, node));
        lab.record_state(pen.now, node_id, NodeState::DefinedOnCore);
    }
    Ok(())
}

/// A node of the lab, to change it.
pub(crate) fn find<'a>(lab: &'a mut Lab, node_id: &str) -> Result<&'a mut Node, Failure> {
    lab.node_mut(node_id).ok_or_else(|| Failure::not_found("Node", node_id))
}

/// Refuses what needs the node to be off and without a disk.
pub(crate) fn must_be_defined(node: &Node, now: domain::Timestamp) -> Result<(), Failure> {
    if node.state(now) == NodeState::DefinedOnCore {
        return Ok(());
    }
    Err(Failure::bad_request(format!("node {} must be stopped and wiped first", node.id)))
}
