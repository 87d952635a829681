//! The gateway: each HTTP request becomes the event of API Gateway, goes through the function that
//! Lambda would run, and its answer becomes HTTP again. It adds nothing of its own.

pub(crate) mod event;
pub(crate) mod route;

use std::sync::{Arc, Mutex, PoisonError};

use app::ports::{Clock, Random};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::request::Parts;
use http::{Request, StatusCode};
use http_api::{FUNCTIONS, Function};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::invoke::{Failed, Invoker};
use crate::problem::LocalProblem;
use crate::queues::uuid;
use event::Arrival;
use route::Match;

/// API Gateway's own limit. Its other, 30 s, is longer than any function may take.
const BODY_MAX_BYTES: usize = 10 * 1024 * 1024;

/// The gateway.
pub(crate) struct Gateway {
    invoker: Invoker,
    machine: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    account: String,
    /// Invocations under way. A caller that hangs up ends its request, not the function.
    invocations: Mutex<JoinSet<()>>,
}

impl Gateway {
    /// A gateway in front of what `invoker` runs.
    pub(crate) fn new(
        invoker: Invoker,
        machine: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        account: String,
    ) -> Arc<Self> {
        Arc::new(Self { invoker, machine, random, account, invocations: Mutex::default() })
    }

    /// Its routes: the function table's, and the way from `/` to the documentation.
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().route("/", get(|| async { Redirect::to("/api/docs") })).fallback(handle).with_state(self)
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, parts: Parts, body: Vec<u8>) -> Response {
        let (function, pattern, parameters) = match route(&parts) {
            Match::Found((function, pattern), parameters) => (function, pattern, parameters),
            Match::OtherMethods(methods) => {
                let allowed = methods.join(", ");
                let detail = format!("{} answers to {allowed} only.", parts.uri.path());
                return LocalProblem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
                    .at(parts.uri.path())
                    .header(http::header::ALLOW, allowed)
                    .into_response();
            }
            Match::Nowhere => {
                let path = parts.uri.path();
                return LocalProblem::not_found(format!("There is nothing at {path}.")).at(path).into_response();
            }
        };
        let arrival = Arrival {
            pattern,
            parameters,
            source_ip: "127.0.0.1".into(),
            request_id: uuid(self.random.next()),
            account: &self.account,
            now: self.machine.now(),
        };
        let event = event::request_event(&parts, &body, &arrival);
        match self.spawn(function, event).await {
            Ok(answer) => event::response(&answer).unwrap_or_else(|| {
                tracing::error!(function = function.name, "the answer is not one that API Gateway takes");
                LocalProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "The function's answer cannot be read.")
                    .into_response()
            }),
            Err(Failed) => {
                LocalProblem::new(StatusCode::SERVICE_UNAVAILABLE, "The function failed; see the log.").into_response()
            }
        }
    }

    async fn spawn(&self, function: &'static Function, event: serde_json::Value) -> Result<serde_json::Value, Failed> {
        let (sender, receiver) = oneshot::channel();
        let invoker = self.invoker.clone();
        {
            let mut invocations = self.invocations.lock().unwrap_or_else(PoisonError::into_inner);
            while invocations.try_join_next().is_some() {}
            invocations.spawn(async move {
                // Nobody listens any more when the caller hung up.
                let _gone = sender.send(invoker.invoke(function, event).await);
            });
        }
        receiver.await.unwrap_or(Err(Failed))
    }
}

fn route(parts: &Parts) -> Match<(&'static Function, &'static str)> {
    let routes = FUNCTIONS.iter().filter_map(|function| {
        let endpoint = function.endpoint()?;
        Some((endpoint.method, endpoint.path, (function, endpoint.path)))
    });
    route::find(routes, parts.method.as_str(), parts.uri.path())
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_MAX_BYTES).await {
        Ok(body) => gateway.answer(parts, body.into()).await,
        // Too long, or cut off: who cut it off does not read the answer.
        Err(_) => {
            let detail = format!("The body must be at most {BODY_MAX_BYTES} bytes.");
            LocalProblem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response()
        }
    }
}
