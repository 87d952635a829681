//! Starting, stopping and wiping labs, and how far that is.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Machined, done};
use crate::actions;
use crate::failure::Failure;
use crate::machine::{Caller, Stage};
use crate::model::lab::LabState;
use crate::model::node::NodeState;

type Id = Path<String>;

pub(super) async fn state(State(machine): Machined, caller: Caller, Path(id): Id) -> Result<Json<LabState>, Failure> {
    machine.with(|turn| Ok(Json(turn.lab(&caller, &id)?.state(turn.now))))
}

pub(super) async fn check_if_converged(
    State(machine): Machined,
    caller: Caller,
    Path(id): Id,
) -> Result<Json<bool>, Failure> {
    machine.with(|turn| Ok(Json(turn.lab(&caller, &id)?.converged(turn.now))))
}

pub(super) async fn start(State(machine): Machined, caller: Caller, Path(id): Id) -> Result<Response, Failure> {
    let ready = machine.stage() == Stage::Ready;
    machine.with(|turn| {
        let wanted = turn.lab(&caller, &id)?.nodes_to_start(turn.now);
        if !ready {
            return Err(Failure::bad_request(format!("cannot start lab {id}: no compute host is ready")));
        }
        turn.must_have_seats(wanted)?;
        let (lab, mut pen) = turn.lab_mut(&caller, &id)?;
        actions::start_lab(lab, &mut pen);
        Ok(done())
    })
}

pub(super) async fn stop(State(machine): Machined, caller: Caller, Path(id): Id) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, mut pen) = turn.lab_mut(&caller, &id)?;
        actions::stop_lab(lab, &mut pen);
        Ok(done())
    })
}

pub(super) async fn wipe(State(machine): Machined, caller: Caller, Path(id): Id) -> Result<Response, Failure> {
    machine.with(|turn| {
        let (lab, mut pen) = turn.lab_mut(&caller, &id)?;
        actions::wipe_lab(lab, &mut pen)?;
        Ok(done())
    })
}

pub(super) async fn element_state(
    State(machine): Machined,
    caller: Caller,
    Path(id): Id,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let (lab, now) = (turn.lab(&caller, &id)?, turn.now);
        let nodes: Map<String, Value> =
            lab.nodes.iter().map(|node| (node.id.clone(), json!(turn.state_of(node)))).collect();
        let interfaces: Map<String, Value> =
            lab.interfaces().map(|(node, own)| (own.id.clone(), json!(node.state(now).of_wire()))).collect();
        let links: Map<String, Value> =
            lab.links.iter().map(|link| (link.id.clone(), json!(lab.link_state(link, now)))).collect();
        Ok(Json(json!({ "nodes": nodes, "interfaces": interfaces, "links": links })))
    })
}

/// Objects by id, whatever CML's own OpenAPI says.
pub(super) async fn simulation_stats(
    State(machine): Machined,
    caller: Caller,
    Path(id): Id,
) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let (lab, now) = (turn.lab(&caller, &id)?, turn.now);
        let running = lab.nodes.iter().filter(|node| node.state(now).runs());
        let nodes: Map<String, Value> = running
            .map(|node| {
                let cpu = if node.state(now) == NodeState::Booted { 12.0 } else { 80.0 };
                let stats = json!({
                    "cpu_usage": cpu, "block0_rd_bytes": 31_457_280, "block0_wr_bytes": 2_097_152,
                    "times": node.times(now),
                });
                (node.id.clone(), stats)
            })
            .collect();
        let up = lab.links.iter().filter(|link| lab.link_state(link, now) == NodeState::Started);
        let links: Map<String, Value> = up
            .map(|link| {
                let booted = [&link.node_a, &link.node_b].map(|end| lab.node(end).and_then(|node| node.booted_at(now)));
                // A packet of 100 bytes a second each way, from when both ends can send.
                let carried = match booted {
                    [Some(a), Some(b)] => now.duration_since(a.max(b)).as_secs().max(0),
                    _ => 0,
                };
                let stats = json!({
                    "readbytes": carried * 100, "readpackets": carried, "writebytes": carried * 100,
                    "writepackets": carried, "drops": 0,
                });
                (link.id.clone(), stats)
            })
            .collect();
        Ok(Json(json!({ "nodes": nodes, "links": links })))
    })
}
