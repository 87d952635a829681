//! What the controller tells of its inside, to administrators.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::system::{HOSTNAME, node_counts};
use super::{Machined, labs, users, written};
use crate::failure::Failure;
use crate::machine::{Caller, Stage, Turn};
use crate::model::definitions::{self, Definition};
use crate::model::lab::Lab;
use crate::model::node::NodeState;

pub(super) async fn show(
    State(machine): Machined,
    caller: Caller,
    Path(category): Path<String>,
) -> Result<Json<Value>, Failure> {
    caller.must_be_admin()?;
    let ready = machine.stage() == Stage::Ready;
    machine.with(|turn| {
        let labs = turn.controller().labs.iter();
        Ok(Json(match category.as_str() {
            "computes" => json!({ turn.controller().compute_id.clone(): compute(turn, ready) }),
            "labs" => labs.map(|lab| (lab.id.clone(), lab_of(turn, lab))).collect::<Map<_, _>>().into(),
            "lab_events" => labs.map(|lab| (lab.id.clone(), labs::events_of(lab).into())).collect::<Map<_, _>>().into(),
            "licensing" => licensing(turn),
            "node_definitions" => definitions::all().map(definition).collect(),
            "node_launch_queue" => queue(turn).into(),
            "services" => json!({ "dispatcher": true, "termws": true }),
            "startup_scheduler" => json!({
                "licensing_loaded": true, "core_driver_connected": true, "node_definitions_loaded": true,
                "lld_connected": ready, "lld_synced": ready, "system_ready": ready,
            }),
            "user_list" => turn.controller().users.iter().map(|user| users::describe(turn, user)).collect(),
            _ => return Err(Failure::not_found("Diagnostics category", &category)),
        }))
    })
}

fn compute(turn: &Turn<'_>, ready: bool) -> Value {
    json!({
        "identifier": turn.controller().compute_id, "host_address": "127.0.0.1", "hostname": HOSTNAME,
        "link_driver": "fabric", "kvm_vmx_enabled": true, "is_controller": true, "is_connector": true,
        "is_simulator": true, "admission_state": if ready { "READY" } else { "ONLINE" },
        "readiness": {
            "libvirt": true, "fabric": ready, "device_mux": true, "refplat_images_available": true, "docker_shim": true,
        },
        "lld_consistency": { "missing_nodes": [], "orphaned_nodes": [] },
        "statistics": { "dominfo": node_counts(turn) },
        "nodes": {}, "links": {}, "interfaces": {}, "fabric": [],
    })
}

fn lab_of(turn: &Turn<'_>, lab: &Lab) -> Value {
    let nodes = lab.nodes.iter().map(|node| {
        let times = node.times(turn.now).unwrap_or_default();
        let shown = json!({ "label": node.spec.label, "state": turn.state_of(node), "state_times": times });
        (node.id.clone(), shown)
    });
    let links = lab.links.iter().map(|link| {
        let state = lab.link_state(link, turn.now);
        let shown = json!({ "state": state, "interface_a": link.interface_a, "interface_b": link.interface_b });
        (link.id.clone(), shown)
    });
    json!({
        "created": written(lab.created), "allocated": true, "nodes": nodes.collect::<Map<_, _>>(),
        "links": links.collect::<Map<_, _>>(), "interfaces": {},
    })
}

fn licensing(turn: &Turn<'_>) -> Value {
    let quota = turn.controller().licence.node_limit();
    let started = quota.saturating_sub(turn.controller().seats_left(turn.now));
    json!({ "quota": quota, "started": started, "user_quota": null, "user_started": started })
}

fn definition(definition: &Definition) -> Value {
    let described = definition.describe();
    json!({ "id": described["id"], "images": described["image_definitions"] })
}

fn queue(turn: &Turn<'_>) -> Vec<Value> {
    let nodes = turn.controller().labs.iter().flat_map(|lab| lab.nodes.iter().map(move |node| (lab, node)));
    let queued = nodes.filter(|(_, node)| node.state(turn.now) == NodeState::Queued);
    let described = queued.map(|(lab, node)| {
        json!({
            "id": node.id, "lab_id": lab.id, "label": node.spec.label, "node_definition": node.spec.node_definition,
            "cpus": node.spec.vcpus(), "ram": node.spec.memory_mib(),
        })
    });
    described.collect()
}
