//! What the tests against real issuers share: an API that believes one, and HTTP to talk to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::ports::{Clock, Outgoing, PortError, Queue, Queues, Timer};
use app::testing::{CountingRandom, MemoryTable};
use app::{Context, Settings};
use async_trait::async_trait;
use domain::{SignedDuration, Timestamp};
use functions::{HttpKeys, IssuerHttp, SystemClock};
use http_api::Incoming;
use http_api::serve::serve;
use http_api::token::{AuthConfig, Authenticator, RoleRules, StoredKeys};
use http_api::{Api, Response};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

/// Nothing here waits for controllers.
struct Never;

#[async_trait]
impl Timer for Never {
    async fn after(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

/// The functions that stand for all that need a role, and the least that each needs.
const BY_ROLE: [&str; 3] = ["list-workers", "start-worker", "terminate-worker"];

/// An API with an empty table that believes the tokens of one issuer.
pub(super) struct Believer {
    api: Api,
    pub(super) clock: Arc<ShiftedClock>,
}

impl Believer {
    /// One that reads the issuer's keys at `jwks_url`.
    pub(super) fn new(issuer: &str, client_id: &str, jwks_url: &str) -> Self {
        crate::run_log::record();
        let config = AuthConfig {
            issuer: issuer.to_owned(),
            audiences: vec![client_id.to_owned()],
            leeway_secs: 60,
            roles: RoleRules::usual(&[client_id.to_owned()]),
        };
        let clock = Arc::<ShiftedClock>::default();
        let settings = Settings::new("123456789012".parse().unwrap());
        let (table, random) = (Arc::<MemoryTable>::default(), Arc::<CountingRandom>::default());
        let context = Context::new(table, Arc::new(NoQueues), clock.clone(), clock.clone(), random, settings);
        let source = Arc::new(HttpKeys::new(jwks_url.to_owned(), &IssuerHttp::new().unwrap()));
        let keys = StoredKeys::new(issuer.to_owned(), source, context.store.clone(), clock.clone(), true);
        let auth = Arc::new(Authenticator::new(config, Arc::new(keys), clock.clone()));
        let timer = Arc::new(Never);
        let api =
            Api { context, auth, timer, controllers: None, files: None, secrets: None, sealer: None, identity: None };
        Self { api, clock }
    }

    /// The answer to a call of that function, about a worker that does not exist.
    pub(super) async fn call(&self, function: &str, token: &str) -> Response {
        let function = http_api::find(function).unwrap();
        let mut incoming = Incoming { path: "/api/x".into(), request_id: "request-1".into(), ..Incoming::default() };
        incoming.path_parameters.insert("worker_id".into(), "00000000-0000-7000-8000-000000000001".into());
        incoming.headers.insert("authorization".into(), format!("Bearer {token}"));
        serve(&self.api, function, incoming, std::future::pending()).await
    }

    /// The status of listing workers, which any role of ours may.
    pub(super) async fn status(&self, token: &str) -> u16 {
        self.call("list-workers", token).await.status
    }

    /// The statuses of what a user, a manager and an admin may. A worker that does not exist is 404 for
    /// those who may start or terminate one, and 403 for the others.
    pub(super) async fn statuses(&self, token: &str) -> [u16; 3] {
        let mut statuses = [0; 3];
        for (status, function) in statuses.iter_mut().zip(BY_ROLE) {
            *status = self.call(function, token).await.status;
        }
        statuses
    }

    /// Why a token is refused with 401.
    pub(super) async fn refusal(&self, token: &str) -> String {
        let answer = self.call("list-workers", token).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// The machine's clock, which a test may set forward.
#[derive(Default)]
pub(super) struct ShiftedClock(Mutex<SignedDuration>);

impl ShiftedClock {
    pub(super) fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.0.lock().unwrap()
    }
}

/// Nothing of these tests is to send anything.
struct NoQueues;

#[async_trait]
impl Queues for NoQueues {
    async fn send(&self, queue: Queue, _: Vec<Outgoing>) -> Result<(), PortError> {
        panic!("sent to {queue:?}")
    }
}

/// HTTP to loopback.
pub(super) fn client() -> Client {
    // Another test may have been first.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap()
}

/// Sends a request, which is to succeed; the answer's JSON, or null when it has none.
pub(super) async fn send(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let (status, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A request with an HTML form's body.
pub(super) fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}
