//! Links between interfaces.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Machined, Params, done};
use crate::failure::Failure;
use crate::machine::Caller;
use crate::model::lab::{Lab, Link};
use crate::model::new_uuid;

#[derive(Deserialize)]
pub(super) struct NewLink {
    src_int: String,
    dst_int: String,
}

fn describe(lab: &Lab, link: &Link, now: domain::Timestamp) -> Value {
    json!({
        "id": link.id, "lab_id": lab.id, "label": link.label, "node_a": link.node_a, "node_b": link.node_b,
        "interface_a": link.interface_a, "interface_b": link.interface_b, "state": lab.link_state(link, now),
        "link_capture_key": "",
    })
}

fn find<'a>(lab: &'a Lab, id: &str) -> Result<&'a Link, Failure> {
    lab.links.iter().find(|link| link.id == id).ok_or_else(|| Failure::not_found("Link", id))
}

/// A link between two free interfaces of different nodes.
pub(super) fn connect(lab: &mut Lab, id: String, ends: [&str; 2]) -> Result<Link, Failure> {
    let end = |interface: &str| {
        let (node, found) = lab.interface(interface).ok_or_else(|| Failure::not_found("Interface", interface))?;
        if lab.links.iter().any(|link| link.ends_at(interface)) {
            return Err(Failure::bad_request(format!("interface {interface} is connected already")));
        }
        Ok((node.id.clone(), format!("{}-{}", node.spec.label, found.label)))
    };
    let ((node_a, label_a), (node_b, label_b)) = (end(ends[0])?, end(ends[1])?);
    if node_a == node_b {
        return Err(Failure::bad_request("a link needs two different nodes"));
    }
    let link = Link {
        id,
        label: format!("{label_a}<->{label_b}"),
        node_a,
        interface_a: ends[0].to_owned(),
        node_b,
        interface_b: ends[1].to_owned(),
    };
    lab.links.push(link.clone());
    Ok(link)
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
        let shown = lab.links.iter();
        Ok(Json(shown.map(|link| if data { describe(lab, link, turn.now) } else { json!(link.id) }).collect()))
    })
}

pub(super) async fn create(
    State(machine): Machined,
    caller: Caller,
    Path(lab): Path<String>,
    Body(new): Body<NewLink>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        let link = connect(lab, new_uuid(pen.random), [&new.src_int, &new.dst_int])?;
        lab.touch(pen.now, "ADD", "link", &link.id);
        Ok(Json(describe(lab, &link, pen.now)))
    })
}

pub(super) async fn show(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        Ok(Json(describe(lab, find(lab, &id)?, turn.now)))
    })
}

pub(super) async fn state(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        let link = find(lab, &id)?;
        Ok(Json(json!({ "label": link.label, "state": lab.link_state(link, turn.now) })))
    })
}

/// It is where its nodes are.
pub(super) async fn check_if_converged(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Json<bool>, Failure> {
    machine.with(|turn| {
        let lab = turn.lab(&caller, &lab)?;
        let link = find(lab, &id)?;
        let ends = [&link.node_a, &link.node_b];
        Ok(Json(ends.into_iter().filter_map(|end| lab.node(end)).all(|node| node.converged(turn.now))))
    })
}

pub(super) async fn remove(
    State(machine): Machined,
    caller: Caller,
    Path((lab, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, pen) = turn.lab_mut(&caller, &lab)?;
        find(lab, &id)?;
        lab.links.retain(|link| link.id != id);
        lab.touch(pen.now, "REMOVE", "link", &id);
        Ok(done())
    })
}
