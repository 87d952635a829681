//! The REST API, one file per noun.

mod auth;
mod definitions;
mod diagnostics;
mod faulty;
mod interfaces;
mod labs;
mod licensing;
mod lifecycle;
mod links;
mod nodes;
mod notices;
mod system;
mod telemetry;
mod topology;
mod transfer;
mod users;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use domain::Timestamp;
use serde::de::DeserializeOwned;

pub(crate) use faulty::Lost;

use crate::failure::Failure;
use crate::machine::{Caller, Machine, Stage};

/// The largest body, an imported topology with its configurations.
const BODY_LIMIT: usize = 16 << 20;

type Machined = State<Arc<Machine>>;

/// All paths of a controller.
pub(crate) fn router(machine: Arc<Machine>) -> Router {
    let api = Router::new()
        .merge(system_routes())
        .merge(licensing_routes())
        .merge(definition_routes())
        .merge(lab_routes())
        .merge(element_routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method);
    Router::new()
        .nest("/api/v0", api)
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(Arc::clone(&machine), faulty::go_wrong))
        .layer(middleware::from_fn_with_state(Arc::clone(&machine), web_server))
        .with_state(machine)
}

fn system_routes() -> Router<Arc<Machine>> {
    Router::new()
        .route("/authenticate", post(auth::authenticate))
        .route("/auth_extended", post(auth::auth_extended))
        .route("/authok", get(auth::authok))
        .route("/authentication", get(auth::authentication))
        .route("/logout", delete(auth::logout))
        .route("/resource_pools", get(system::resource_pools))
        .route("/system_health", get(system::health))
        .route("/system_information", get(system::information))
        .route("/system_stats", get(system::stats))
        .route("/system/compute_hosts", get(system::compute_hosts))
        .route("/system/external_connectors", get(system::external_connectors))
        .route("/system/maintenance_mode", get(notices::maintenance).patch(notices::set_maintenance))
        .route("/system/notices", get(notices::list).post(notices::create))
        .route("/system/notices/{notice}", get(notices::show).patch(notices::update).delete(notices::remove))
        .route("/diagnostics/{category}", get(diagnostics::show))
        .route("/groups", get(users::groups))
        .route("/groups/{group}", get(users::group))
        .route("/telemetry/events", get(telemetry::events))
        .route("/users", get(users::list).post(users::create))
        .route("/users/{user}", get(users::show).delete(users::remove))
        .route("/users/{user}/id", get(users::id_of))
}

fn licensing_routes() -> Router<Arc<Machine>> {
    Router::new()
        .route("/licensing", get(licensing::show))
        .route("/licensing/authorization/renew", put(licensing::renew_authorization))
        .route("/licensing/deregistration", delete(licensing::deregister))
        .route("/licensing/features", patch(licensing::set_features))
        .route("/licensing/product_license", put(licensing::set_product))
        .route("/licensing/registration", post(licensing::register))
        .route("/licensing/registration/renew", put(licensing::renew_registration))
        .route("/licensing/reservation/mode", get(licensing::reservation_mode))
        .route("/licensing/transport", put(licensing::set_transport))
}

fn definition_routes() -> Router<Arc<Machine>> {
    Router::new()
        .route("/image_definitions", get(definitions::images))
        .route("/image_definitions/{image}", get(definitions::image))
        .route("/node_definitions", get(definitions::nodes))
        .route("/node_definitions/{definition}", get(definitions::node))
        .route("/node_definitions/{definition}/image_definitions", get(definitions::images_of))
        .route("/simplified_node_definitions", get(definitions::simplified))
}

fn lab_routes() -> Router<Arc<Machine>> {
    Router::new()
        .route("/import", post(transfer::import))
        .route("/labs", get(labs::list).post(labs::create))
        .route("/populate_lab_tiles", get(labs::tiles))
        .route("/labs/{lab}", get(labs::show).patch(labs::update).delete(labs::remove))
        .route("/labs/{lab}/check_if_converged", get(lifecycle::check_if_converged))
        .route("/labs/{lab}/download", get(transfer::download))
        .route("/labs/{lab}/events", get(labs::events))
        .route("/labs/{lab}/lab_element_state", get(lifecycle::element_state))
        .route("/labs/{lab}/layer3_addresses", get(labs::layer3_addresses))
        .route("/labs/{lab}/resource_pools", get(labs::resource_pools))
        .route("/labs/{lab}/simulation_stats", get(lifecycle::simulation_stats))
        .route("/labs/{lab}/start", put(lifecycle::start))
        .route("/labs/{lab}/state", get(lifecycle::state))
        .route("/labs/{lab}/stop", put(lifecycle::stop))
        .route("/labs/{lab}/topology", get(topology::show))
        .route("/labs/{lab}/wipe", put(lifecycle::wipe))
}

fn element_routes() -> Router<Arc<Machine>> {
    Router::new()
        .route("/nodes", get(nodes::of_all_labs))
        .route("/labs/{lab}/interfaces", get(interfaces::list).post(interfaces::create))
        .route("/labs/{lab}/interfaces/{interface}", get(interfaces::show).delete(interfaces::remove))
        .route("/labs/{lab}/interfaces/{interface}/state", get(interfaces::state))
        .route("/labs/{lab}/links", get(links::list).post(links::create))
        .route("/labs/{lab}/links/{link}", get(links::show).delete(links::remove))
        .route("/labs/{lab}/links/{link}/check_if_converged", get(links::check_if_converged))
        .route("/labs/{lab}/links/{link}/state", get(links::state))
        .route("/labs/{lab}/nodes", get(nodes::list).post(nodes::create))
        .route("/labs/{lab}/nodes/{node}", get(nodes::show).patch(nodes::update).delete(nodes::remove))
        .route("/labs/{lab}/nodes/{node}/check_if_converged", get(nodes::check_if_converged))
        .route("/labs/{lab}/nodes/{node}/consoles/{console}/log", get(nodes::console_log))
        .route("/labs/{lab}/nodes/{node}/extract_configuration", put(nodes::extract_configuration))
        .route("/labs/{lab}/nodes/{node}/interfaces", get(interfaces::of_node))
        .route("/labs/{lab}/nodes/{node}/state", get(nodes::state))
        .route("/labs/{lab}/nodes/{node}/state/start", put(nodes::start))
        .route("/labs/{lab}/nodes/{node}/state/stop", put(nodes::stop))
        .route("/labs/{lab}/nodes/{node}/wipe_disks", put(nodes::wipe_disks))
}

/// What stands before CML: while CML is not there, it answers by itself, and not in JSON.
async fn web_server(State(machine): Machined, request: Request, next: Next) -> Response {
    if machine.stage() >= Stage::Core {
        return next.run(request).await;
    }
    bad_gateway()
}

/// The page of a web server whose upstream does not answer.
fn bad_gateway() -> Response {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
    (StatusCode::BAD_GATEWAY, Html(page)).into_response()
}

async fn no_such_path() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "Not Found")
}

async fn no_such_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// Done, with nothing to say.
fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A time as CML writes it.
fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

impl FromRequestParts<Arc<Machine>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, machine: &Arc<Machine>) -> Result<Self, Failure> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        machine.with(|turn| {
            let caller = token.and_then(|token| turn.caller(token));
            caller.ok_or_else(|| Failure::unauthorized(turn.controller().version))
        })
    }
}

/// A JSON body, whatever content type it says it is.
struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = raw(Bytes::from_request(request, state).await)?;
        let body = serde_json::from_slice(&bytes);
        body.map(Self).map_err(|error| Failure::validation(&["body"], "value_error", &error.to_string()))
    }
}

/// The bytes of a body, or CML's refusal of them.
fn raw(bytes: Result<Bytes, axum::extract::rejection::BytesRejection>) -> Result<Bytes, Failure> {
    bytes.map_err(|rejection| Failure::new(rejection.status(), rejection.body_text()))
}

/// The query parameters; those nobody asks for are ignored.
struct Params(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(params)| Self(params)).map_err(|rejection| Failure::bad_request(rejection.body_text()))
    }
}

impl Params {
    /// Whether the flag is set.
    fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
