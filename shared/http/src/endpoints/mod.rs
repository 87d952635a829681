//! One file per endpoint: parse, call one use case, map. No logic.

use app::use_cases::command::{Asked, IdempotencyKey};
use domain::operation::Operation;

use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;
use crate::wire::OperationView;

pub(crate) mod back_up_lab;
pub(crate) mod callback;
pub(crate) mod create_api_key;
pub(crate) mod create_worker;
pub(crate) mod delete_backup;
pub(crate) mod delete_lab;
pub(crate) mod deregister_license;
pub(crate) mod discover_workers;
pub(crate) mod docs;
pub(crate) mod download_backup;
pub(crate) mod download_evidence;
pub(crate) mod download_lab;
pub(crate) mod fleet_metrics;
pub(crate) mod get_backup;
pub(crate) mod get_lab;
pub(crate) mod get_license;
pub(crate) mod get_operation;
pub(crate) mod get_reconciliation_stats;
pub(crate) mod get_worker;
pub(crate) mod get_worker_metrics;
pub(crate) mod get_worker_power;
pub(crate) mod health;
pub(crate) mod import_lab;
pub(crate) mod import_workers;
pub(crate) mod list_api_keys;
pub(crate) mod list_backups;
pub(crate) mod list_discovered_instances;
pub(crate) mod list_evidence;
pub(crate) mod list_labs;
pub(crate) mod list_operations;
pub(crate) mod list_worker_events;
pub(crate) mod list_worker_labs;
pub(crate) mod list_workers;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod openapi;
pub(crate) mod prometheus;
pub(crate) mod query_cml;
pub(crate) mod reconcile_worker;
pub(crate) mod refresh_labs;
pub(crate) mod refresh_session;
pub(crate) mod refresh_worker;
pub(crate) mod register_license;
pub(crate) mod renew_license;
pub(crate) mod repin_certificate;
pub(crate) mod restore_lab;
pub(crate) mod revoke_api_key;
pub(crate) mod rotate_api_key;
pub(crate) mod session;
pub(crate) mod set_cml_credentials;
pub(crate) mod set_desired_state;
pub(crate) mod set_fleet_cml_credentials;
pub(crate) mod set_worker_monitoring;
pub(crate) mod start_lab;
pub(crate) mod start_worker;
pub(crate) mod stop_lab;
pub(crate) mod stop_worker;
pub(crate) mod terminate_worker;
pub(crate) mod trigger_reconciliation;
pub(crate) mod update_lab;
pub(crate) mod update_worker;
pub(crate) mod whoami;
pub(crate) mod wipe_lab;

/// Who asks, with the version and the key they gave. The key counts for this function, path and body.
fn asked(request: &Request, function: &str) -> Result<Asked, Problem> {
    let caller = request.caller()?;
    let key = request.idempotency_key()?.map(|key| {
        let mut counted = request.path.clone().into_bytes();
        // The query decides as much as the body: a title, or that something is done by force.
        for (name, value) in &request.query {
            counted.extend(format!("\0{name}\0{value}").into_bytes());
        }
        counted.push(0);
        counted.extend(canonical(&request.body));
        IdempotencyKey::new(&caller.subject, function, &key, &counted)
    });
    Ok(Asked { actor: caller.actor(), if_match: request.if_match()?, key })
}

/// The body without the accidents of its spelling: the same JSON with other spaces is the same request.
fn canonical(body: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_vec(&value))
        .unwrap_or_else(|_| body.to_vec())
}

/// 202 with the operation and where to follow it.
fn accepted(operation: &Operation) -> Response {
    Response::json(202, &OperationView::from(operation)).header("location", format!("/api/operations/{}", operation.id))
}
