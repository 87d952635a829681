//! A lab as JSON, whole.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::{Machined, Params};
use crate::failure::Failure;
use crate::machine::{Caller, Turn};
use crate::model::Version;
use crate::model::lab::Lab;
use crate::model::node::Node;

/// The version of the topology schema.
pub(super) const SCHEMA: &str = "0.3.0";

/// What is set of a node, and its id.
pub(super) fn spec(node: &Node, without_configuration: bool) -> Map<String, Value> {
    // A struct of plain values always becomes an object.
    let Ok(Value::Object(mut spec)) = serde_json::to_value(&node.spec) else { return Map::new() };
    if without_configuration {
        spec.remove("configuration");
    }
    spec.insert("id".to_owned(), json!(node.id));
    spec
}

pub(super) fn describe(turn: &Turn<'_>, lab: &Lab, without_configurations: bool) -> Value {
    let nodes = lab.nodes.iter().map(|node| {
        let mut shown = spec(node, without_configurations);
        let interfaces = node.interfaces.iter().map(|own| {
            json!({
                "id": own.id, "node": node.id, "label": own.label, "slot": own.slot, "type": own.kind,
                "mac_address": null,
            })
        });
        shown.insert("interfaces".to_owned(), interfaces.collect());
        shown.insert("state".to_owned(), json!(turn.state_of(node)));
        Value::Object(shown)
    });
    let links = lab.links.iter().map(|link| {
        json!({
            "id": link.id, "label": link.label, "node_a": link.node_a, "node_b": link.node_b,
            "interface_a": link.interface_a, "interface_b": link.interface_b, "state": lab.link_state(link, turn.now),
        })
    });
    let mut head = json!({
        "version": SCHEMA, "title": lab.title, "description": lab.description, "notes": lab.notes, "owner": lab.owner,
    });
    if turn.controller().version >= Version::V2_10 {
        head["autostart"] = json!(lab.autostart);
        head["node_staging"] = json!(lab.node_staging);
    }
    json!({
        "lab": head,
        "nodes": nodes.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "annotations": lab.annotations,
        "smart_annotations": lab.smart_annotations,
    })
}

pub(super) async fn show(
    State(machine): Machined,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    let without_configurations = params.flag("exclude_configurations");
    machine.with(|turn| Ok(Json(describe(turn, turn.lab(&caller, &id)?, without_configurations))))
}
