//! Lambda's Runtime API, as a function's process sees it: it asks for an event, and posts its answer.
//! Source: Lambda developer guide, "Using the Lambda runtime API".

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use app::ports::Clock;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use functions::SystemClock;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::support::{Server, start};

/// How long anything may take that has no deadline of its own; far more than it does.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What an invocation came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The function's answer.
    Answer(Value),
    /// It failed: `errorType`, `errorMessage`.
    Error(String, String),
}

/// The API, for one process.
pub(super) struct RuntimeApi {
    /// Host and port.
    pub(super) address: String,
    state: Arc<Shared>,
    events: mpsc::UnboundedSender<Invocation>,
    /// When the process asked for its first event.
    asked: watch::Receiver<Option<Instant>>,
    _server: Server,
}

#[derive(Debug)]
struct Invocation {
    event: String,
    time_left: Duration,
    outcome: oneshot::Sender<Outcome>,
}

struct Shared {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    under_way: Mutex<BTreeMap<String, oneshot::Sender<Outcome>>>,
    asked: watch::Sender<Option<Instant>>,
}

impl RuntimeApi {
    pub(super) async fn new() -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let (first, asked) = watch::channel(None);
        let state = Arc::new(Shared { waiting: waiting.into(), under_way: Mutex::default(), asked: first });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(state.clone());
        let server = start(|listener| async move { axum::serve(listener, router).await.unwrap() }).await;
        let address = server.url.trim_start_matches("http://").to_owned();
        Self { address, state, events, asked, _server: server }
    }

    /// When the process asked for its first event.
    pub(super) async fn first_asked(&self) -> Instant {
        let mut asked = self.asked.clone();
        let first = tokio::time::timeout(PATIENCE, asked.wait_for(Option::is_some)).await;
        first.expect("it asks for an event").unwrap().unwrap()
    }

    /// What the process makes of an event that it must be done with in `time_left`.
    ///
    /// # Panics
    /// It answers after that.
    pub(super) async fn invoke(&self, event: &Value, time_left: Duration) -> Outcome {
        self.invoke_text(event.to_string(), time_left).await
    }

    /// The same of what may be no JSON.
    pub(super) async fn invoke_text(&self, event: String, time_left: Duration) -> Outcome {
        let (outcome, came) = oneshot::channel();
        self.events.send(Invocation { event, time_left, outcome }).expect("the API is there");
        let came = tokio::time::timeout(time_left, came).await;
        self.state.under_way.lock().unwrap().clear();
        came.unwrap_or_else(|_| panic!("no answer within {time_left:?}")).expect("the process lives")
    }
}

async fn next(State(state): State<Arc<Shared>>) -> Response {
    state.asked.send_if_modified(|first| first.is_none().then(|| *first = Some(Instant::now())).is_some());
    let Some(invocation) = state.waiting.lock().await.recv().await else { std::future::pending().await };
    let deadline = SystemClock.now() + invocation.time_left;
    // One at a time: the deadline is as good an id as any, and never the same twice in a row.
    let id = format!("request-{}", deadline.as_nanosecond());
    state.under_way.lock().unwrap().insert(id.clone(), invocation.outcome);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:test".into()),
        ("lambda-runtime-trace-id", "Root=1-69a55250-5f3c9a1d7b2e4c6081930000".into()),
    ];
    (axum::response::AppendHeaders(headers), invocation.event).into_response()
}

async fn response(State(state): State<Arc<Shared>>, Path(id): Path<String>, body: String) -> StatusCode {
    settle(&state, &id, Outcome::Answer(serde_json::from_str(&body).expect("an answer is JSON")))
}

async fn error(State(state): State<Arc<Shared>>, Path(id): Path<String>, body: String) -> StatusCode {
    let error: Value = serde_json::from_str(&body).expect("an error is JSON");
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    settle(&state, &id, Outcome::Error(text("errorType"), text("errorMessage")))
}

fn settle(state: &Shared, id: &str, outcome: Outcome) -> StatusCode {
    // Nobody waits for an answer that comes too late; that test has failed.
    if let Some(waiting) = state.under_way.lock().unwrap().remove(id) {
        let _gone = waiting.send(outcome);
    }
    StatusCode::ACCEPTED
}
