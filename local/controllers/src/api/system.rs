//! The controller as a machine.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Machined;
use crate::failure::Failure;
use crate::machine::{Caller, Stage, Turn};
use crate::model::Version;

/// What the controller calls itself.
pub(super) const HOSTNAME: &str = "cml-controller";
const DISK: u64 = 64 << 30;
/// What CML and its images take of the disk, and each node's own.
const OWN_DISK: u64 = 24 << 30;
const DISK_OF_NODE: u64 = 200 << 20;

/// Needs no token.
pub(super) async fn information(State(machine): Machined) -> Result<Json<Value>, Failure> {
    let ready = machine.stage() == Stage::Ready;
    machine.with(|turn| {
        let version = turn.controller().version;
        let mut answer = json!({
            "version": version.text(), "ready": ready, "allow_ssh_pubkey_auth": false, "oui": "52:54:00:00:00:00",
        });
        if version >= Version::V2_10 {
            answer["timeout"] = 3_600.into();
            answer["features"] = json!([]);
        }
        Ok(Json(answer))
    })
}

pub(super) async fn health(State(machine): Machined, _: Caller) -> Result<Json<Value>, Failure> {
    let ready = machine.stage() == Stage::Ready;
    machine.with(|turn| {
        let controller = turn.controller();
        let mut compute = json!({
            "kvm_vmx_enabled": true, "enough_cpus": true, "lld_connected": ready, "lld_synced": ready, "libvirt": true,
            "fabric": ready, "device_mux": true, "refplat_images_available": true, "docker_shim": true, "valid": ready,
            "admission_state": if ready { "READY" } else { "ONLINE" }, "is_controller": true, "hostname": HOSTNAME,
        });
        let mut core = json!({ "core_connected": true, "nodes_loaded": true, "images_loaded": true, "valid": true });
        if controller.version >= Version::V2_10 {
            for overload in ["cpu_overload", "memory_overload", "disk_overload"] {
                compute[overload] = false.into();
            }
            for service in ["airhandler", "dispatcher", "ipsnooper", "pcapdemux"] {
                core[service] = true.into();
            }
        }
        Ok(Json(json!({
            "valid": ready,
            "computes": { controller.compute_id.clone(): compute },
            "is_licensed": controller.licence.is_registered(),
            "is_enterprise": controller.licence.is_enterprise(),
            "controller": core,
        })))
    })
}

pub(super) async fn stats(State(machine): Machined, _: Caller) -> Result<Json<Value>, Failure> {
    machine.with(|turn| {
        let (controller, host) = (turn.controller(), turn.host());
        let demand = controller.demand(turn.now);
        let load = demand.load(host);
        let average = (load.cpu_percent / 100.0 * f64::from(host.vcpus) * 100.0).round() / 100.0;
        let used = demand.memory_used(host);
        let memory = json!({ "used": used, "free": host.memory() - used, "total": host.memory() });
        let disk_used = (OWN_DISK + u64::from(demand.total_nodes) * DISK_OF_NODE).min(DISK);
        let mut dominfo = node_counts(turn);
        dominfo["allocated_cpus"] = demand.vcpus.into();
        // In KiB, as far as recordings tell.
        dominfo["allocated_memory"] = (demand.memory_mib * 1_024).into();
        let disk = json!({ "used": disk_used, "free": DISK - disk_used, "total": DISK });
        let compute = json!({
            "hostname": HOSTNAME,
            "is_controller": true,
            "stats": {
                "cpu": {
                    "count": host.vcpus, "percent": load.cpu_percent, "model": format!("Simulated {}", host.instance_type),
                    "hyperthreading": true, "predicted": demand.vcpus, "load": [average, average, average],
                },
                "memory": memory.clone(),
                "disk": disk.clone(),
                "dominfo": dominfo,
            },
        });
        Ok(Json(json!({
            "computes": { controller.compute_id.clone(): compute },
            "all": { "cpu": { "count": host.vcpus, "percent": load.cpu_percent }, "memory": memory, "disk": disk.clone() },
            "controller": { "disk": disk },
        })))
    })
}

/// How many nodes there are and run.
pub(super) fn node_counts(turn: &Turn<'_>) -> Value {
    let demand = turn.controller().demand(turn.now);
    json!({
        "total_nodes": demand.total_nodes, "total_orphans": 0, "running_nodes": demand.running_nodes,
        "running_orphans": 0,
    })
}

/// This one.
pub(super) async fn compute_hosts(State(machine): Machined, _: Caller) -> Result<Json<Value>, Failure> {
    let ready = machine.stage() == Stage::Ready;
    machine.with(|turn| {
        Ok(Json(json!([{
            "id": turn.controller().compute_id, "hostname": HOSTNAME, "server_address": "127.0.0.1",
            "is_connector": true, "is_simulator": true, "is_connected": true, "is_synced": ready,
            "admission_state": if ready { "READY" } else { "ONLINE" }, "node_counts": node_counts(turn),
        }])))
    })
}

/// The one that leads out by NAT, as on AWS.
pub(super) async fn external_connectors(_: Caller) -> Json<Value> {
    Json(json!([{
        "id": "00000000-0000-4000-a000-000000000002", "label": "NAT", "device_name": "virbr0", "allowed": true,
        "protected": false, "snooped": true, "tags": ["NAT"],
    }]))
}

/// There are none.
pub(super) async fn resource_pools(_: Caller) -> Json<Vec<Value>> {
    Json(Vec::new())
}
