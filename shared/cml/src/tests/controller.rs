//! The controller itself, and its notices.

use app::ports::{
    Capacity, CmlNotice, CmlSystem, ComputeHealth, ComputeHost, ComputeStatistics, MaintenanceMode, NoticeChange,
    NoticeLevel,
};
use serde_json::Value;

use super::*;

const COMPUTE: &str = "c0ffee00-1111-4222-8333-444455556666";

#[tokio::test]
async fn health_keeps_every_check_by_its_name() {
    let controller = Controller::saying(json!({
        "valid": false, "is_licensed": true, "is_enterprise": null,
        "computes": {COMPUTE: {"kvm_vmx_enabled": false, "fabric": null, "memory_overload": true, "valid": false,
                               "admission_state": "READY", "is_controller": true, "hostname": "cml-controller"}},
        "controller": {"core_connected": true, "valid": true, "airhandler": null},
    }))
    .await;
    let health = controller.client.health(controller.access()).await.unwrap();
    assert_eq!((health.valid, health.is_licensed, health.is_enterprise), (Some(false), Some(true), None));
    let checks = |checks: &[(&str, Option<bool>)]| checks.iter().map(|(name, ok)| ((*name).to_owned(), *ok)).collect();
    let compute = ComputeHealth {
        id: COMPUTE.into(),
        hostname: Some("cml-controller".into()),
        is_controller: Some(true),
        admission_state: Some("READY".into()),
        checks: checks(&[
            ("kvm_vmx_enabled", Some(false)),
            ("fabric", None),
            ("memory_overload", Some(true)),
            ("valid", Some(false)),
        ]),
    };
    assert_eq!(health.computes, [compute]);
    let services = [("core_connected", Some(true)), ("valid", Some(true)), ("airhandler", None)];
    assert_eq!(health.controller.checks, checks(&services));
}

#[tokio::test]
async fn statistics_are_read_in_all_and_by_compute() {
    let bytes = |used: u64| json!({"used": used, "free": 3 * used, "total": 4 * used});
    let controller = Controller::saying(json!({
        "computes": {COMPUTE: {"hostname": "cml-controller", "is_controller": true, "stats": {
            "cpu": {"count": 48, "percent": 6.5, "model": "m", "hyperthreading": true, "load": [0.5, "x", 1, 2]},
            "memory": bytes(100), "disk": bytes(10),
            "dominfo": {"total_nodes": 9, "running_nodes": 3, "allocated_cpus": 5, "allocated_memory": 6_291_456,
                        "total_orphans": null},
        }}},
        "all": {"cpu": {"count": 48, "percent": 6.5}, "memory": bytes(100), "disk": {"used": 1.5, "total": null}},
        "controller": {"disk": bytes(10)},
    }))
    .await;
    let statistics = controller.client.statistics(controller.access()).await.unwrap();
    let capacity =
        |used: f64| Capacity { used_bytes: Some(used), free_bytes: Some(3.0 * used), total_bytes: Some(4.0 * used) };
    let compute = ComputeStatistics {
        id: COMPUTE.into(),
        hostname: Some("cml-controller".into()),
        is_controller: Some(true),
        cpu_count: Some(48.0),
        cpu_percent: Some(6.5),
        load: vec![0.5, 1.0, 2.0],
        memory: capacity(100.0),
        disk: capacity(10.0),
        total_nodes: Some(9),
        running_nodes: Some(3),
        allocated_cpus: Some(5),
        allocated_memory: Some(6_291_456.0),
    };
    assert_eq!(statistics.computes, [compute]);
    assert_eq!((statistics.cpu_count, statistics.cpu_percent), (Some(48.0), Some(6.5)));
    let disk = Capacity { used_bytes: Some(1.5), ..Capacity::default() };
    assert_eq!((statistics.memory, statistics.disk), (capacity(100.0), disk));
}

#[tokio::test]
async fn computes_and_maintenance_are_read() {
    let controller = Controller::start(|request| match request.line.as_str() {
        "GET /api/v0/system/compute_hosts" => Answer::json(&json!([
            {"id": COMPUTE, "hostname": "cml-controller", "server_address": "fd00::1", "is_connector": true,
             "is_simulator": true, "is_connected": true, "is_synced": false, "admission_state": "READY",
             "node_counts": {"deployed": 9, "running": 3, "total_orphans": 0}},
        ])),
        _ => Answer::json(&json!({"maintenance_mode": true, "notice": "n-1", "resolved_notice": null})),
    })
    .await;
    let host = ComputeHost {
        id: COMPUTE.into(),
        hostname: Some("cml-controller".into()),
        server_address: Some("fd00::1".into()),
        admission_state: Some("READY".into()),
        is_connector: Some(true),
        is_simulator: Some(true),
        is_connected: Some(true),
        is_synced: Some(false),
        deployed_nodes: Some(9),
        running_nodes: Some(3),
    };
    assert_eq!(controller.client.compute_hosts(controller.access()).await.unwrap(), [host]);
    let mode = controller.client.maintenance_mode(controller.access()).await.unwrap();
    assert_eq!(mode, MaintenanceMode { enabled: Some(true), notice_id: Some("n-1".into()) });
}

fn notice() -> Value {
    json!({"id": "n-1", "level": "WARNING", "label": "Stops soon", "content": "At 18:00", "enabled": true,
           "acknowledged": {"u-1": true, "u-2": false, "u-3": null}, "groups": null})
}

#[tokio::test]
async fn notices_are_read_shown_changed_and_taken_away() {
    let controller = Controller::start(|request| match request.line.split_once(' ').unwrap() {
        ("GET", _) => Answer::json(&json!([notice(), {"id": "n-2", "level": "URGENT"}])),
        ("DELETE", _) => no_content(),
        _ => Answer::json(&notice()),
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    let expected = CmlNotice {
        id: "n-1".into(),
        level: Some(NoticeLevel::Warning),
        label: Some("Stops soon".into()),
        content: Some("At 18:00".into()),
        enabled: Some(true),
        acknowledged: [("u-1".into(), true), ("u-2".into(), false)].into(),
        groups: vec![],
    };
    let seen = client.notices(access).await.unwrap();
    assert_eq!((seen.len(), &seen[0]), (2, &expected));
    assert_eq!(seen[1].level, Some(NoticeLevel::Other("URGENT".into())));
    let new = NoticeChange {
        level: Some(&NoticeLevel::Warning),
        label: Some("Stops soon"),
        content: Some("At 18:00"),
        enabled: Some(true),
        groups: Some(&[]),
    };
    assert_eq!(client.create_notice(access, new).await.unwrap(), expected);
    let off = NoticeChange { enabled: Some(false), ..NoticeChange::default() };
    client.update_notice(access, "n-1", off).await.unwrap();
    client.delete_notice(access, "n-1").await.unwrap();
    let created = r#"{"content":"At 18:00","enabled":true,"groups":[],"label":"Stops soon","level":"WARNING"}"#;
    let expected = [
        "GET /api/v0/system/notices".to_owned(),
        format!("POST /api/v0/system/notices {created}"),
        r#"PATCH /api/v0/system/notices/n-1 {"enabled":false}"#.to_owned(),
        "DELETE /api/v0/system/notices/n-1".to_owned(),
    ];
    assert_eq!(controller.lines(), expected);
}
