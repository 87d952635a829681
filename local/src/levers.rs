//! The levers under `/dev`: what the world does to the fleet. For demonstrations and tests, never in
//! a Lambda.

use std::net::SocketAddr;
use std::sync::Arc;

use app::ports::Ec2Error;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use local_controllers::{ControllerVersion, Controllers, FaultOrder};
use local_region::{Fault, SimulatedCloud};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bus::EmbeddedBus;
use crate::oidc::{self, Issuer};
use crate::problem::LocalProblem;
use crate::queues::DurableQueues;

/// What the levers move.
#[derive(Clone)]
pub(crate) struct Levers {
    pub(crate) cloud: SimulatedCloud,
    pub(crate) controllers: Controllers,
    /// None when the queues and the bus are elsewhere.
    pub(crate) embedded: Option<(DurableQueues, EmbeddedBus)>,
}

type Answer = Result<Response, LocalProblem>;

/// Everything below `/dev`: the levers and the development issuer, if that is where people sign in.
pub(crate) fn router(levers: Levers, issuer: Option<&Issuer>, address: SocketAddr) -> Router {
    let router = Router::new()
        .route("/dev", get(|| async { include_str!("levers.txt") }))
        .route("/dev/cloud/instances", get(instances))
        .route("/dev/cloud/instances/{id}/{action}", post(act))
        .route("/dev/cloud/faults", post(fault))
        .route("/dev/cloud/scarce", put(scarce))
        .route("/dev/cloud/events", post(events))
        .route("/dev/cml/{instance_id}", get(controller))
        .route("/dev/cml/{instance_id}/activity", post(activity))
        .route("/dev/cml/{instance_id}/faults", post(controller_fault).delete(clear_faults))
        .route("/dev/cml/{instance_id}/version", put(version))
        .route("/dev/queues", get(queues))
        .route("/dev/events", get(published))
        .method_not_allowed_fallback(|| async {
            LocalProblem::new(StatusCode::METHOD_NOT_ALLOWED, "GET /dev tells what there is.")
        })
        .with_state(Arc::new(levers));
    let router = match issuer {
        Some(issuer) => router.nest(oidc::PATH, issuer.router()),
        None => router,
    };
    router.layer(from_fn_with_state(address, only_from_here))
}

/// A page on the web must not pull the levers of whoever reads it: neither from its own address (`Origin`), nor by
/// a name of its own that leads to this machine (`Host`; DNS rebinding).
async fn only_from_here(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    match from_elsewhere(&request, address) {
        Some(why) => LocalProblem::new(StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is not one of this machine's, if it is not.
fn from_elsewhere(request: &Request, address: SocketAddr) -> Option<String> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if header(ORIGIN).is_some_and(|origin| !oidc::is_loopback(origin)) {
        return Some("Only pages of this machine may do this.".into());
    }
    // A request of HTTP/2 names its host in the address.
    let host = header(HOST).or(request.uri().authority().map(Authority::as_str)).unwrap_or_default();
    let ours = names(address).iter().any(|name| host.eq_ignore_ascii_case(name));
    (!ours).then(|| format!("This answers at http://{address} only."))
}

/// What this address is called.
fn names(address: SocketAddr) -> [String; 2] {
    [address.to_string(), format!("localhost:{}", address.port())]
}

async fn instances(State(levers): State<Arc<Levers>>) -> Json<Value> {
    Json(json!({"items": levers.cloud.instances()}))
}

async fn act(State(levers): State<Arc<Levers>>, Path((id, action)): Path<(String, String)>) -> Answer {
    let cloud = &levers.cloud;
    match action.as_str() {
        "kill" => cloud.kill(&id),
        "terminate" => cloud.terminate_by_hand(&id),
        "stop" => cloud.stop_by_hand(&id),
        "start" => cloud.start_by_hand(&id),
        _ => return Err(LocalProblem::not_found("The actions are kill, terminate, stop and start.")),
    }
    .map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// EC2's own words.
fn refused(error: &Ec2Error) -> LocalProblem {
    let status = if error.code.ends_with(".NotFound") { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
    LocalProblem::new(status, error.to_string())
}

async fn fault(State(levers): State<Arc<Levers>>, body: Bytes) -> Answer {
    let fault: Fault = read(&body)?;
    levers.cloud.inject_fault(fault);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn scarce(State(levers): State<Arc<Levers>>, body: Bytes) -> Answer {
    levers.cloud.set_scarce(read(&body)?);
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
struct EventFaults {
    #[serde(default)]
    drop: u32,
    #[serde(default)]
    duplicate: u32,
}

async fn events(State(levers): State<Arc<Levers>>, body: Bytes) -> Answer {
    let faults: EventFaults = read(&body)?;
    levers.cloud.set_event_faults(faults.drop, faults.duplicate);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn controller(State(levers): State<Arc<Levers>>, Path(id): Path<String>) -> Answer {
    let access = levers
        .controllers
        .access(&id)
        .ok_or_else(|| LocalProblem::not_found(format!("No running instance {id} has a controller.")))?;
    let (url, version) = (access.url, access.version.name());
    let shown = json!({"url": url, "username": access.username, "password": access.password, "version": version});
    Ok(Json(shown).into_response())
}

#[derive(Deserialize)]
struct Activity {
    user: String,
    kind: String,
}

async fn activity(State(levers): State<Arc<Levers>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Activity { user, kind } = read(&body)?;
    pulled(levers.controllers.record_activity(&id, &user, &kind))
}

async fn controller_fault(State(levers): State<Arc<Levers>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let order: FaultOrder = read(&body)?;
    pulled(levers.controllers.inject_fault(&id, order).await)
}

async fn clear_faults(State(levers): State<Arc<Levers>>, Path(id): Path<String>) -> Answer {
    pulled(levers.controllers.clear_faults(&id))
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

async fn version(State(levers): State<Arc<Levers>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Version { version } = read(&body)?;
    let version = ControllerVersion::from_name(&version).ok_or_else(|| format!("there is no version {version}"));
    pulled(version.and_then(|version| levers.controllers.set_version(&id, version)))
}

/// What a lever of a controller did, or why it could not.
fn pulled(done: Result<(), String>) -> Answer {
    done.map_err(|why| LocalProblem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{why}.")))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn queues(State(levers): State<Arc<Levers>>) -> Answer {
    let (queues, _) = embedded(&levers)?;
    let depths = queues.depths().map_err(|e| LocalProblem::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(Json(depths).into_response())
}

fn embedded(levers: &Levers) -> Result<&(DurableQueues, EmbeddedBus), LocalProblem> {
    let elsewhere = || LocalProblem::not_found("The queues and the event bus are not in this process.");
    levers.embedded.as_ref().ok_or_else(elsewhere)
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<u32>,
}

async fn published(State(levers): State<Arc<Levers>>, Query(Limit { limit }): Query<Limit>) -> Answer {
    let (_, bus) = embedded(&levers)?;
    let last = bus.last(limit.unwrap_or(50).clamp(1, 1_000));
    let last = last.map_err(|e| LocalProblem::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(Json(last).into_response())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, LocalProblem> {
    serde_json::from_slice(body)
        .map_err(|error| LocalProblem::bad_request(format!("The body cannot be read: {error}.")))
}

#[cfg(test)]
mod tests;
