//! Nodes of a lab.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Body, Machined, Params, done};
use crate::actions;
use crate::failure::Failure;
use crate::machine::{Caller, Stage};
use crate::model::lab::Lab;
use crate::model::new_uuid;
use crate::model::node::{Node, NodeSpec, NodeState};

type Ids = Path<(String, String)>;

/// A node as `GET …/nodes/{id}` shows it.
fn describe(lab: &Lab, node: &Node, now: domain::Timestamp, compute_id: &str, params: &Params) -> Value {
    let state = node.state(now);
    let compute = state.runs().then_some(compute_id);
    let mut answer = super::topology::spec(node, params.flag("exclude_configurations"));
    let spec = &node.spec;
    let operational = params.flag("operational").then(|| {
        json!({
            "boot_disk_size": spec.boot_disk_size, "compute_id": compute, "cpu_limit": spec.cpu_limit,
            "cpus": spec.vcpus(), "data_volume": spec.data_volume, "ram": spec.memory_mib(), "vnc_key": null,
            "resource_pool": null, "image_definition": spec.image_definition, "serial_consoles": [],
            "iol_app_id": null,
        })
    });
    answer.extend([
        ("lab_id".to_owned(), json!(lab.id)),
        ("state".to_owned(), json!(state)),
        ("boot_progress".to_owned(), json!(state.progress())),
        ("compute_id".to_owned(), json!(compute)),
        ("operational".to_owned(), json!(operational)),
        ("serial_consoles".to_owned(), json!([])),
    ]);
    for unset in ["iol_app_id", "pinned_compute_id", "resource_pool", "vnc_key"] {
        answer.insert(unset.to_owned(), Value::Null);
    }
    answer.into()
}

fn find<'a>(lab: &'a Lab, id: &str) -> Result<&'a Node, Failure> {
    lab.node(id).ok_or_else(|| Failure::not_found("Node", id))
}

fn spec_from(body: Value) -> Result<NodeSpec, Failure> {
    serde_json::from_value(body).map_err(|error| Failure::validation(&["body"], "value_error", &error.to_string()))
}

pub(super) async fn list(
    State(machine): Machined,
    caller: Caller,
    Path(lab): Path<String>,
    params: Params,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| {
        let (lab, compute) = (turn.lab(&caller, &lab)?, turn.controller().compute_id.as_str());
        let data = params.flag("data");
        let nodes = lab.nodes.iter();
        let nodes =
            nodes.map(|node| if data { describe(lab, node, turn.now, compute, &params) } else { json!(node.id) });
        Ok(Json(nodes.collect()))
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
            for _ in 0..node.spec.default_interfaces() {
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
        Ok(Json(describe(lab, find(lab, &node)?, turn.now, &turn.controller().compute_id, &params)))
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
        let state = node.state(turn.now);
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
        find(turn.lab(&caller, &lab)?, &id)?;
        if !ready {
            return Err(Failure::bad_request(format!("cannot start node {id}: no compute host is ready")));
        }
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

/// What runs here never differs from what is stored.
pub(super) async fn extract_configuration(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Ids,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let node = find(turn.lab(&caller, &lab)?, &id)?;
        if node.state(turn.now) != NodeState::Booted {
            return Err(Failure::bad_request(format!("node {id} is not booted")));
        }
        Ok(Json(node.spec.configuration.clone()))
    })
}
