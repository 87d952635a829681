//! Nodes of a lab.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Body, Machined, Params, done};
use crate::actions;
use crate::failure::Failure;
use crate::machine::{Caller, Stage, Turn};
use crate::model::lab::Lab;
use crate::model::node::{Node, NodeSpec};
use crate::model::{console, definitions, new_uuid};

/// How long a label may be, in characters.
const LABEL_LIMIT: usize = 128;

type Ids = Path<(String, String)>;

/// A node as `GET …/nodes/{id}` shows it.
fn describe(turn: &Turn<'_>, lab: &Lab, node: &Node, params: &Params) -> Value {
    let state = turn.state_of(node);
    let compute = state.runs().then_some(turn.controller().compute_id.as_str());
    let consoles = if state.runs() && spec_is_machine(node) {
        json!([{ "console_key": node.id, "device_number": 0, "label": "serial0" }])
    } else {
        json!([])
    };
    let mut answer = super::topology::spec(node, params.flag("exclude_configurations"));
    let spec = &node.spec;
    let operational = params.flag("operational").then(|| {
        json!({
            "boot_disk_size": spec.boot_disk_size, "compute_id": compute, "cpu_limit": spec.cpu_limit,
            "cpus": spec.vcpus(), "data_volume": spec.data_volume, "ram": spec.memory_mib(), "vnc_key": null,
            "resource_pool": null, "image_definition": spec.image_definition, "serial_consoles": consoles.clone(),
            "iol_app_id": null,
        })
    });
    answer.extend([
        ("lab_id".to_owned(), json!(lab.id)),
        ("state".to_owned(), json!(state)),
        ("boot_progress".to_owned(), json!(state.progress())),
        ("compute_id".to_owned(), json!(compute)),
        ("operational".to_owned(), json!(operational)),
        ("serial_consoles".to_owned(), consoles),
    ]);
    for unset in ["iol_app_id", "pinned_compute_id", "resource_pool", "vnc_key"] {
        answer.insert(unset.to_owned(), Value::Null);
    }
    answer.into()
}

fn find<'a>(lab: &'a Lab, id: &str) -> Result<&'a Node, Failure> {
    lab.node(id).ok_or_else(|| Failure::not_found("Node", id))
}

fn spec_is_machine(node: &Node) -> bool {
    node.spec.definition().is_machine()
}

fn spec_from(body: Value) -> Result<NodeSpec, Failure> {
    let read = serde_json::from_value(body);
    let spec: NodeSpec = read.map_err(|error| Failure::validation(&["body"], "value_error", &error.to_string()))?;
    check(&spec)?;
    Ok(spec)
}

/// Refuses a label that is too long or empty, and a kind of node that is not here.
pub(super) fn check(spec: &NodeSpec) -> Result<(), Failure> {
    Failure::length(&["body", "label"], &spec.label, 1, LABEL_LIMIT)?;
    let known = definitions::find(&spec.node_definition).is_some();
    if known {
        Ok(())
    } else {
        Err(Failure::bad_request(format!("Node Definition not found: {}", spec.node_definition)))
    }
}

pub(super) async fn list(
    State(machine): Machined,
    caller: Caller,
    Path(lab): Path<String>,
    params: Params,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        let data = params.flag("data");
        let nodes = lab.nodes.iter();
        let nodes = nodes.map(|node| if data { describe(turn, lab, node, &params) } else { json!(node.id) });
        Ok(Json(nodes.collect()))
    })
}

/// Of every lab the caller may see.
pub(super) async fn of_all_labs(
    State(machine): Machined,
    caller: Caller,
    params: Params,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| {
        let nodes = turn.labs(&caller).flat_map(|lab| lab.nodes.iter().map(move |node| (lab, node)));
        Ok(Json(nodes.map(|(lab, node)| describe(turn, lab, node, &params)).collect()))
    })
}

pub(super) async fn create(
    State(machine): Machined,
    caller: Caller,
    Path(lab): Path<String>,
    params: Params,
    Body(body): Body<Value>,
) -> Result<Json<Value>, Failure> {
    let spec = spec_from(body)?;
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        let mut node = Node::new(new_uuid(pen.random), spec);
        if params.flag("populate_interfaces") {
            for _ in 0..node.spec.definition().default_interfaces {
                node.add_interface(new_uuid(pen.random));
            }
        }
        lab.touch(pen.now, "ADD", "node", &node.id);
        let id = node.id.clone();
        lab.nodes.push(node);
        Ok(Json(json!({ "id": id })))
    })
}

pub(super) async fn show(
    State(machine): Machined,
    caller: Caller,
    Path((lab, node)): Ids,
    params: Params,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        Ok(Json(describe(turn, lab, find(lab, &node)?, &params)))
    })
}

pub(super) async fn update(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
    Body(changes): Body<Map<String, Value>>,
) -> Result<Json<String>, Failure> {
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        let node = actions::find(lab, &id)?;
        let mut spec = super::topology::spec(node, false);
        spec.extend(changes);
        node.spec = spec_from(spec.into())?;
        lab.touch(pen.now, "CHANGE", "node", &id);
        Ok(Json(id))
    })
}

pub(super) async fn remove(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        actions::must_be_defined(find(lab, &id)?, pen.now)?;
        lab.nodes.retain(|node| node.id != id);
        lab.links.retain(|link| link.node_a != id && link.node_b != id);
        lab.touch(pen.now, "REMOVE", "node", &id);
        Ok(done())
    })
}

pub(super) async fn state(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let node = find(turn.lab(&caller, &lab)?, &id)?;
        let state = turn.state_of(node);
        Ok(Json(json!({ "label": node.spec.label, "state": state, "progress": state.progress() })))
    })
}

pub(super) async fn check_if_converged(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
) -> Result<Json<bool>, Failure> {
    machine.with(|turn| Ok(Json(find(turn.lab(&caller, &lab)?, &id)?.converged(turn.now))))
}

pub(super) async fn start(State(machine): Machined, caller: Caller, Path((lab, id)): Ids) -> Result<Response, Failure> {
    let ready = machine.stage() == Stage::Ready;
    machine.with(|turn| {
        let node = find(turn.lab(&caller, &lab)?, &id)?;
        let wanted = u32::from(spec_is_machine(node) && !node.state(turn.now).runs());
        if !ready {
            return Err(Failure::bad_request(format!("cannot start node {id}: no compute host is ready")));
        }
        turn.must_have_seats(wanted)?;
        let (lab, mut pen) = turn.lab_mut(&caller, &lab)?;
        actions::start_node(lab, &id, &mut pen)?;
        Ok(done())
    })
}

pub(super) async fn stop(State(machine): Machined, caller: Caller, Path((lab, id)): Ids) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, mut pen) = turn.lab_mut(&caller, &lab)?;
        actions::stop_node(lab, &id, &mut pen)?;
        Ok(done())
    })
}

pub(super) async fn wipe_disks(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, mut pen) = turn.lab_mut(&caller, &lab)?;
        actions::wipe_node(lab, &id, &mut pen)?;
        Ok(done())
    })
}

/// Stores the configuration it runs with.
pub(super) async fn extract_configuration(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        let node = actions::find(lab, &id)?;
        if !spec_is_machine(node) {
            return Err(Failure::bad_request(format!("node {id} has no configuration to extract")));
        }
        let Some(booted_at) = node.booted_at(pen.now) else {
            return Err(Failure::bad_request(format!("node {id} is not booted")));
        };
        let running = console::running_configuration(node, booted_at);
        if node.spec.configuration != running {
            node.spec.configuration = running.clone();
            lab.touch(pen.now, "CHANGE", "node", &id);
        }
        Ok(Json(running))
    })
}

/// What a serial console showed, as one text; its last lines only, if asked for.
pub(super) async fn console_log(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id, console)): Path<(String, String, String)>,
    params: Params,
) -> Result<Json<String>, Failure> {
    let lines = params.text("lines").map(str::parse).transpose().map_err(Failure::bad_request)?.unwrap_or(usize::MAX);
    machine.with(|turn| {
        let node = find(turn.lab(&caller, &lab)?, &id)?;
        if console != "0" || !spec_is_machine(node) {
            return Err(Failure::bad_request(format!("node {id} has no console {console}")));
        }
        let log = console::log(node, turn.now);
        Ok(Json(log[log.len().saturating_sub(lines)..].join("\r\n")))
    })
}
