//! The document against the table it is made of.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{document, documented};
use crate::function::Endpoint;
use crate::table::FUNCTIONS;

fn endpoints() -> impl Iterator<Item = (&'static str, &'static Endpoint)> {
    FUNCTIONS.iter().filter_map(|function| Some((function.name, function.endpoint()?)))
}

/// Every `$ref` below a value.
fn refs(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|v| refs(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| refs(v, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_has_every_endpoint_and_nothing_else() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let shown: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().expect("methods").keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let in_table: BTreeSet<String> = endpoints().map(|(_, e)| format!("{} {}", e.method, documented(e))).collect();
    assert_eq!(shown, in_table);
}

#[test]
fn every_schema_that_is_named_exists() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for (name, endpoint) in endpoints() {
        for schema in endpoint.body.map(|body| body.name).into_iter().chain(endpoint.answer.1) {
            assert!(schemas.contains_key(schema), "{name} names the schema {schema}");
        }
    }
    let mut found = BTreeSet::new();
    refs(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference inside the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_answer_that_is_no_success_is_a_problem() {
    let document = document();
    for (name, endpoint) in endpoints() {
        let answers = &document["paths"][documented(endpoint)][endpoint.method.to_lowercase()]["responses"];
        for (status, answer) in answers.as_object().expect(name) {
            let is_problem = answer["content"].get("application/problem+json").is_some();
            assert_eq!(is_problem, status.as_str() >= "400", "{name} {status}");
        }
    }
}

/// Read this when it changes: who may do what.
#[test]
#[expect(clippy::too_many_lines, reason = "most of them are the endpoints")]
fn the_endpoints_and_who_may_call_them() {
    let document = document();
    let table: Vec<String> = endpoints()
        .map(|(_, endpoint)| {
            let operation = &document["paths"][documented(endpoint)][endpoint.method.to_lowercase()];
            let statuses: Vec<&str> =
                operation["responses"].as_object().expect("answers").keys().map(String::as_str).collect();
            let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} -> {}, {}, {}",
                endpoint.method,
                endpoint.path,
                text("operationId"),
                text("x-least-role"),
                statuses.join(" ")
            )
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"), @"
    POST /api/workers -> create-worker, admin, 202 400 401 403 409 413 415 422 503
    POST /api/workers/import -> import-workers, admin, 202 400 401 403 409 413 415 422 503
    POST /api/discovered-instances/refresh -> discover-workers, admin, 200 400 401 403 409 429 503
    GET /api/discovered-instances -> list-discovered-instances, manager, 200 400 401 403 422 503
    GET /api/workers -> list-workers, user, 200 400 401 403 422 503
    GET /api/workers/{worker_id} -> get-worker, user, 200 401 403 404 503
    PATCH /api/workers/{worker_id} -> update-worker, manager, 200 400 401 403 404 409 412 413 415 422 503
    DELETE /api/workers/{worker_id} -> terminate-worker, admin, 202 400 401 403 404 409 412 422 503
    POST /api/workers/{worker_id}/start -> start-worker, manager, 202 400 401 403 404 409 412 422 503
    POST /api/workers/{worker_id}/stop -> stop-worker, manager, 202 400 401 403 404 409 412 413 415 422 503
    POST /api/workers/{worker_id}/refresh -> refresh-worker, manager, 202 400 401 403 404 409 412 422 429 503
    PUT /api/workers/{worker_id}/monitoring -> set-worker-monitoring, admin, 202 400 401 403 404 409 412 413 415 422 503
    GET /api/workers/{worker_id}/metrics -> get-worker-metrics, user, 200 400 401 403 404 422 503
    GET /api/workers/{worker_id}/events -> list-worker-events, user, 200 400 401 403 404 422 503
    GET /api/workers/{worker_id}/evidence -> list-evidence, manager, 200 400 401 403 404 422 503
    GET /api/workers/{worker_id}/evidence/{evidence_id} -> download-evidence, manager, 200 401 403 404 503
    PUT /api/workers/{worker_id}/cml-credentials -> set-cml-credentials, admin, 204 400 401 403 404 409 412 413 415 422 503
    PUT /api/cml-credentials -> set-fleet-cml-credentials, admin, 204 400 401 403 409 413 415 422 503
    POST /api/workers/{worker_id}/certificate -> repin-certificate, admin, 200 400 401 403 404 409 412 503
    GET /api/labs -> list-labs, user, 200 400 401 403 422 503
    GET /api/workers/{worker_id}/labs -> list-worker-labs, user, 200 400 401 403 404 422 503
    GET /api/workers/{worker_id}/labs/{lab_id} -> get-lab, user, 200 401 403 404 503
    GET /api/workers/{worker_id}/labs/{lab_id}/download -> download-lab, user, 200 401 403 404 409 503
    POST /api/workers/{worker_id}/labs -> import-lab, manager, 202 400 401 403 404 409 412 413 415 422 503
    POST /api/workers/{worker_id}/labs/refresh -> refresh-labs, manager, 202 400 401 403 404 409 412 422 429 503
    PATCH /api/workers/{worker_id}/labs/{lab_id} -> update-lab, user, 202 400 401 403 404 409 412 413 415 422 503
    DELETE /api/workers/{worker_id}/labs/{lab_id} -> delete-lab, user, 202 400 401 403 404 409 412 503
    POST /api/workers/{worker_id}/labs/{lab_id}/start -> start-lab, user, 202 400 401 403 404 409 412 422 503
    POST /api/workers/{worker_id}/labs/{lab_id}/stop -> stop-lab, user, 202 400 401 403 404 409 412 422 503
    POST /api/workers/{worker_id}/labs/{lab_id}/wipe -> wipe-lab, user, 202 400 401 403 404 409 412 422 503
    POST /api/workers/{worker_id}/labs/{lab_id}/backups -> back-up-lab, user, 202 400 401 403 404 409 412 422 503
    POST /api/workers/{worker_id}/labs/restore -> restore-lab, manager, 202 400 401 403 404 409 412 413 415 422 503
    GET /api/backups -> list-backups, user, 200 400 401 403 422 503
    GET /api/backups/{backup_id} -> get-backup, user, 200 401 403 404 503
    GET /api/backups/{backup_id}/download -> download-backup, user, 200 401 403 404 503
    DELETE /api/backups/{backup_id} -> delete-backup, admin, 204 400 401 403 404 409 412 503
    GET /api/workers/{worker_id}/license -> get-license, user, 200 401 403 404 503
    PUT /api/workers/{worker_id}/license -> register-license, admin, 202 400 401 403 404 409 412 413 415 422 503
    POST /api/workers/{worker_id}/license/renew -> renew-license, admin, 202 400 401 403 404 409 412 422 503
    DELETE /api/workers/{worker_id}/license -> deregister-license, admin, 202 400 401 403 404 409 412 503
    GET /api/workers/{worker_id}/cml/{path+} -> query-cml, user, 200 401 403 404 409 503
    PUT /api/workers/{worker_id}/desired-state -> set-desired-state, manager, 202 400 401 403 404 409 412 413 415 422 503
    POST /api/workers/{worker_id}/reconcile -> reconcile-worker, manager, 202 400 401 403 404 409 412 422 429 503
    GET /api/reconciliation/stats -> get-reconciliation-stats, user, 200 401 403 503
    POST /api/reconciliation/trigger -> trigger-reconciliation, admin, 202 400 401 403 409 422 503
    GET /api/workers/{worker_id}/power -> get-worker-power, user, 200 401 403 404 503
    GET /api/operations/{operation_id} -> get-operation, user, 200 401 403 404 503
    GET /api/operations -> list-operations, user, 200 400 401 403 422 503
    GET /api/auth/login -> login, public, 302 400 422 503
    GET /api/auth/callback -> callback, public, 302 400 403 422 503
    POST /api/auth/refresh -> refresh-session, public, 200 400 401 403 409 503
    POST /api/auth/logout -> logout, public, 200 400 403 409 503
    GET /api/auth/session -> session, public, 200 401 503
    GET /api/auth/me -> whoami, user, 200 401 403 503
    POST /api/api-keys -> create-api-key, user, 201 400 401 403 409 413 415 422 503
    GET /api/api-keys -> list-api-keys, user, 200 400 401 403 422 503
    DELETE /api/api-keys/{key_id} -> revoke-api-key, user, 204 400 401 403 404 409 412 503
    POST /api/api-keys/{key_id}/rotate -> rotate-api-key, user, 200 400 401 403 404 409 412 503
    GET /api/health -> health, public, 200 503
    GET /api/openapi.json -> openapi, public, 200
    GET /api/docs -> docs, public, 200
    GET /api/fleet/metrics -> fleet-metrics, user, 200 401 403 503
    GET /api/metrics -> prometheus, user, 200 401 403 503
    ");
}
