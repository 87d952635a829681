//! Interfaces of nodes.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Machined, Params, done};
use crate::actions;
use crate::failure::Failure;
use crate::machine::Caller;
use crate::model::lab::Lab;
use crate::model::new_uuid;
use crate::model::node::{Interface, Node};

/// More slots than any node definition has.
const SLOTS: u32 = 64;

#[derive(Deserialize)]
pub(super) struct NewInterface {
    node: String,
    /// Every free slot up to this one, or the next one.
    slot: Option<u32>,
}

fn describe(lab: &Lab, node: &Node, interface: &Interface, now: Timestamp) -> Value {
    let state = node.state(now).of_wire();
    json!({
        "id": interface.id, "lab_id": lab.id, "node": node.id, "label": interface.label, "slot": interface.slot,
        "type": interface.kind, "state": state, "mac_address": null,
        "is_connected": lab.links.iter().any(|link| link.ends_at(&interface.id)),
        "operational": { "device_name": null, "mac_address": null, "src_udp_port": null, "dst_udp_port": null },
    })
}

fn no_interface(id: &str) -> Failure {
    Failure::not_found("Interface", id)
}

pub(super) async fn list(
    State(machine): Machined,
    caller: Caller,
    Path(lab): Path<String>,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        Ok(Json(lab.interfaces().map(|(node, interface)| describe(lab, node, interface, turn.now)).collect()))
    })
}

pub(super) async fn of_node(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
    params: Params,
) -> Result<Json<Vec<Value>>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        let node = lab.node(&id).ok_or_else(|| Failure::not_found("Node", &id))?;
        let data = params.flag("data");
        let shown = node.interfaces.iter();
        let shown = shown.map(|own| if data { describe(lab, node, own, turn.now) } else { json!(own.id) });
        Ok(Json(shown.collect()))
    })
}

/// One interface, or a list of them when a slot was named.
pub(super) async fn create(
    State(machine): Machined,
    caller: Caller,
    Path(lab): Path<String>,
    Body(new): Body<NewInterface>,
) -> Result<Json<Value>, Failure> {
    if new.slot.is_some_and(|slot| slot >= SLOTS) {
        return Err(Failure::validation(&["body", "slot"], "less_than_equal", "Input should be less than 64"));
    }
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        let node = actions::find(lab, &new.node)?;
        let next = node.interfaces.iter().filter_map(|own| own.slot).max().map_or(0, |last| last + 1);
        let last = new.slot.unwrap_or(next);
        if last < next {
            return Err(Failure::bad_request(format!("slot {last} of node {} is taken", node.id)));
        }
        let made: Vec<Interface> = (next..=last).map(|_| node.add_interface(new_uuid(pen.random))).collect();
        for interface in &made {
            lab.touch(pen.now, "ADD", "interface", &interface.id);
        }
        let (lab, now) = (&*lab, pen.now);
        let shown = made.iter().filter_map(|own| lab.interface(&own.id));
        let mut shown: Vec<Value> = shown.map(|(node, own)| describe(lab, node, own, now)).collect();
        Ok(Json(if new.slot.is_some() { Value::Array(shown) } else { shown.pop().unwrap_or_default() }))
    })
}

pub(super) async fn show(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        let (node, interface) = lab.interface(&id).ok_or_else(|| no_interface(&id))?;
        Ok(Json(describe(lab, node, interface, turn.now)))
    })
}

pub(super) async fn state(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let (node, interface) = turn.lab(&caller, &lab)?.interface(&id).ok_or_else(|| no_interface(&id))?;
        Ok(Json(json!({ "label": interface.label, "state": node.state(turn.now).of_wire() })))
    })
}

pub(super) async fn remove(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        let (node, _) = lab.interface(&id).ok_or_else(|| no_interface(&id))?;
        actions::must_be_defined(node, pen.now)?;
        lab.links.retain(|link| !link.ends_at(&id));
        for node in &mut lab.nodes {
            node.interfaces.retain(|interface| interface.id != id);
        }
        lab.touch(pen.now, "REMOVE", "interface", &id);
        Ok(done())
    })
}
