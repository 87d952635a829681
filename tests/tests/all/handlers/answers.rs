//! Whole answers, as callers read them. Time stands still and ids are given, so nothing needs to be masked.

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::json;

use super::test_api::TestApi;
use super::world::{OPERATION, WORKER};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one whole answer")]
async fn a_worker() {
    let api = TestApi::new().await;
    assert_json_snapshot!(api.get(&format!("/api/workers/{WORKER}")).as_user().await.json(), @r#"
    {
      "account_id": "123456789012",
      "ami_id": "ami-08dcc10c321226373",
      "ami_name": "cml-2.9.*",
      "availability_zone": "us-east-1c",
      "certificate_sha256": "5f16b1a3c0e97d4428ba6d1e0c5593f7e2ab8046d19c37f5b0a4e86612d7c98b",
      "created_at": "2026-03-02T08:00:00.000Z",
      "desired_state": "running",
      "endpoint": "https://198.51.100.4",
      "evidence": [
        {
          "expires_at": "2026-04-01T08:30:00.000Z",
          "id": "evd-01kjq8r3m6x9c2f5h7k0n4p8v3",
          "kind": "console_output",
          "size_bytes": 73,
          "taken_at": "2026-03-02T08:30:00.000Z"
        }
      ],
      "fallback_instance_types": [],
      "hourly_price": null,
      "id": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d",
      "idle_policy": {
        "enabled": true,
        "timeout_minutes": 90
      },
      "imported": false,
      "instance_id": "i-00000000000000001",
      "instance_type": "m5zn.metal",
      "license": {
        "expires_at": "2027-01-01T00:00:00.000Z",
        "product": "CML_Enterprise",
        "registration": "COMPLETED",
        "status": "IN_COMPLIANCE"
      },
      "lifecycle": "on-demand",
      "metrics": {
        "cloudwatch": {
          "cpu_utilization": 12.5,
          "detailed_monitoring_enabled": false,
          "last_collected_at": "2026-03-02T08:55:00.000Z",
          "memory_utilization": null,
          "network_in": 300000.0,
          "network_out": 300000.0
        },
        "cml": {
          "allocated_cpus": 0,
          "cpu_percent": 2.5,
          "disk_percent": 31.0,
          "labs_count": 3,
          "last_synced_at": "2026-03-02T08:55:00.000Z",
          "memory_percent": 9.0,
          "ready": true,
          "running_nodes": 0,
          "total_nodes": 14,
          "uptime_seconds": 3180,
          "version": "2.9.1+build.47"
        },
        "ec2": {
          "instance_state_detail": "ok",
          "last_checked_at": "2026-03-02T08:55:00.000Z",
          "system_status_check": "ok"
        },
        "errors": []
      },
      "name": "lab-1",
      "owner": "ada",
      "power": {
        "hold": null,
        "idle_since": "2026-03-02T08:20:00.000Z",
        "next_action": "stop",
        "next_action_at": "2026-03-02T09:50:00.000Z",
        "state_reason": "Created by ada."
      },
      "private_ip": "10.0.0.10",
      "public_ip": "198.51.100.4",
      "region": "us-east-1",
      "schedule_id": null,
      "service_status": "available",
      "status": "running",
      "status_detail": null,
      "tags": {
        "old": "yes"
      },
      "template_id": null,
      "updated_at": "2026-03-02T08:10:00.000Z",
      "version": 7
    }
    "#);
}

#[tokio::test]
async fn a_workers_power() {
    let api = TestApi::new().await;
    let mut power = api.get(&format!("/api/workers/{WORKER}/power")).as_user().await.json();
    power["conditions"].take();
    assert_json_snapshot!(power, @r#"
    {
      "attempts": 0,
      "conditions": null,
      "decided_at": "2026-03-02T08:55:00.000Z",
      "decision": "wait",
      "decision_reason": "No lab runs and nobody has used it since 2026-03-02 08:20 UTC (last stop_lab). It is stopped at 2026-03-02 09:50 UTC if that stays so.",
      "desired_state": "running",
      "drift": [
        {
          "is": "old=",
          "name": "tags",
          "since": "2026-03-02T08:55:00.000Z",
          "treatment": "healed",
          "was": "old=yes"
        }
      ],
      "hold": null,
      "idle_policy": {
        "enabled": true,
        "timeout_minutes": 90
      },
      "idle_since": "2026-03-02T08:20:00.000Z",
      "last_action": null,
      "last_action_at": null,
      "last_activity": "stop_lab",
      "last_activity_at": "2026-03-02T08:20:00.000Z",
      "last_failure": null,
      "last_read_at": "2026-03-02T08:55:00.000Z",
      "next_action": "stop",
      "next_action_at": "2026-03-02T09:50:00.000Z",
      "next_check_at": "2026-03-02T09:00:00.000Z",
      "running_nodes": 0,
      "running_since": "2026-03-02T08:02:00.000Z",
      "state_reason": "Created by ada.",
      "status": "running",
      "worker_id": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d"
    }
    "#);
}

#[tokio::test]
async fn a_workers_conditions() {
    let api = TestApi::new().await;
    let power = api.get(&format!("/api/workers/{WORKER}/power")).as_user().await.json();
    assert_json_snapshot!(power["conditions"], @r#"
    [
      {
        "holds": true,
        "name": "launched",
        "since": "2026-03-02T08:55:00.000Z"
      },
      {
        "holds": true,
        "name": "registered",
        "since": "2026-03-02T08:55:00.000Z"
      },
      {
        "holds": true,
        "name": "ready",
        "since": "2026-03-02T08:55:00.000Z"
      },
      {
        "holds": true,
        "name": "licensed",
        "since": "2026-03-02T08:55:00.000Z"
      },
      {
        "holds": true,
        "name": "drifted",
        "since": "2026-03-02T08:55:00.000Z"
      }
    ]
    "#);
}

#[tokio::test]
async fn what_was_decided_for_the_wish_before_is_not_told_of_the_new_one() {
    let api = TestApi::new().await;
    let path = format!("/api/workers/{WORKER}/power");
    let before = api.get(&path).as_user().await.json();
    assert!(before["decision"].is_string() && before["next_action"].is_string(), "{before}");
    let wish = format!("/api/workers/{WORKER}/desired-state");
    let asked = api.put(&wish).json(&json!({ "desired_state": "stopped" })).as_manager().await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let after = api.get(&path).as_user().await.json();
    assert_eq!((&after["decision"], &after["next_action_at"]), (&json!(null), &json!(null)), "{after}");
    let reason = after["decision_reason"].as_str().unwrap();
    assert!(
        reason.starts_with("It is wanted stopped since ") && reason.ends_with("to be judged for that."),
        "{reason}"
    );
}

#[tokio::test]
async fn an_operation() {
    let api = TestApi::new().await;
    assert_json_snapshot!(api.get(&format!("/api/operations/{OPERATION}")).as_user().await.json(), @r#"
    {
      "attempts": 1,
      "error": null,
      "evidence": [],
      "expires_at": "2026-03-02T08:45:00.000Z",
      "finished_at": "2026-03-02T08:08:00.000Z",
      "id": "op-01kjq5x0n4b8d2g6j9m3p7s1w5",
      "kind": "create_worker",
      "requested_at": "2026-03-02T08:00:00.000Z",
      "requested_by": {
        "kind": "user",
        "name": "ada",
        "subject": "subject-of-ada"
      },
      "result": {
        "backup_id": null,
        "detail": null,
        "imported": [],
        "lab_id": null,
        "monthly_cost_usd": null,
        "skipped": {},
        "warnings": [],
        "worker_id": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d",
        "workers": null
      },
      "started_at": "2026-03-02T08:00:00.000Z",
      "status": "succeeded",
      "target": "wkr-01kjq5w4e8v6t2m9c3hxk7zr0d",
      "waiting_for": null
    }
    "#);
}

#[tokio::test]
async fn a_worker_in_a_list_is_the_worker_by_itself() {
    let api = TestApi::new().await;
    let list = api.get("/api/workers?status=running").as_user().await.json();
    let mut one = api.get(&format!("/api/workers/{WORKER}")).as_user().await.json();
    // A list does not ask for what was kept of each worker's failures.
    assert!(one["evidence"].is_array());
    one["evidence"] = serde_json::Value::Null;
    assert_eq!(list, serde_json::json!({"items": [one], "next_cursor": null}));
}

#[tokio::test]
async fn a_problem() {
    let api = TestApi::new().await;
    let body = serde_json::json!({"name": "", "region": "mars", "idle_timeout_minutes": 1});
    let answer = api.post("/api/workers").as_admin().json(&body).await;
    assert_json_snapshot!((answer.status, answer.headers.clone(), answer.json()), @r#"
    [
      422,
      {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "content-type": "application/problem+json",
        "strict-transport-security": "max-age=31536000",
        "x-content-type-options": "nosniff",
        "x-request-id": "request-1",
        "x-service-name": "cml-cloud-manager"
      },
      {
        "detail": "name must have 1 to 100 characters and no control characters; region must be an AWS region name such as us-east-1; idle_timeout_minutes must be 5 to 10080.",
        "errors": [
          {
            "field": "name",
            "message": "must have 1 to 100 characters and no control characters"
          },
          {
            "field": "region",
            "message": "must be an AWS region name such as us-east-1"
          },
          {
            "field": "idle_timeout_minutes",
            "message": "must be 5 to 10080"
          }
        ],
        "instance": "/api/workers",
        "request_id": "request-1",
        "status": 422,
        "title": "Invalid input",
        "type": "urn:cml-cloud-manager:problem:invalid"
      }
    ]
    "#);
}

#[tokio::test]
async fn the_fleet_in_numbers() {
    let api = TestApi::new().await;
    assert_json_snapshot!(api.get("/api/fleet/metrics").as_user().await.json(), @r#"
    {
      "at": "2026-03-02T09:00:00.000Z",
      "by_desired_state": {
        "running": 1,
        "stopped": 0,
        "terminated": 0
      },
      "by_status": {
        "failed": 0,
        "pending": 0,
        "provisioning": 0,
        "running": 1,
        "starting": 0,
        "stopped": 0,
        "stopping": 0,
        "terminated": 1,
        "terminating": 0,
        "unknown": 0
      },
      "idle": 1,
      "labs": 3,
      "ready": 1,
      "running_nodes": 0,
      "workers": 1
    }
    "#);
}

#[tokio::test]
async fn the_fleet_for_prometheus() {
    let api = TestApi::new().await;
    let answer = api.get("/api/metrics").as_user().await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_snapshot!(answer.body, @r#"
    # HELP ccm_workers Workers by status.
    # TYPE ccm_workers gauge
    ccm_workers{status="failed"} 0
    ccm_workers{status="pending"} 0
    ccm_workers{status="provisioning"} 0
    ccm_workers{status="running"} 1
    ccm_workers{status="starting"} 0
    ccm_workers{status="stopped"} 0
    ccm_workers{status="stopping"} 0
    ccm_workers{status="terminated"} 1
    ccm_workers{status="terminating"} 0
    ccm_workers{status="unknown"} 0
    # HELP ccm_workers_desired Workers by wish, those not terminated.
    # TYPE ccm_workers_desired gauge
    ccm_workers_desired{desired_state="running"} 1
    ccm_workers_desired{desired_state="stopped"} 0
    ccm_workers_desired{desired_state="terminated"} 0
    # HELP ccm_workers_ready Workers that run and can be used.
    # TYPE ccm_workers_ready gauge
    ccm_workers_ready 1
    # HELP ccm_workers_idle Workers that run with nobody using them.
    # TYPE ccm_workers_idle gauge
    ccm_workers_idle 1
    # HELP ccm_labs Labs on running workers.
    # TYPE ccm_labs gauge
    ccm_labs 3
    # HELP ccm_running_nodes Nodes that run on them.
    # TYPE ccm_running_nodes gauge
    ccm_running_nodes 0
    "#);
}

#[tokio::test]
async fn health() {
    let api = TestApi::new().await;
    let mut health = api.get("/api/health").await.json();
    assert!(health["version"].is_string());
    health["version"] = "[version]".into();
    assert_json_snapshot!(health, @r#"
    {
      "dependencies": {
        "table": "ok"
      },
      "frozen_reason": null,
      "frozen_since": null,
      "status": "ok",
      "version": "[version]"
    }
    "#);
}

#[tokio::test]
async fn the_openapi_document_and_its_page_are_served() {
    let api = TestApi::new().await;
    let document = api.get("/api/openapi.json").await;
    assert_eq!(document.headers["content-type"], "application/json");
    assert_eq!(document.json(), http_api::openapi::document());
    let page = api.get("/api/docs").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.body.contains("openapi.json"));
}
