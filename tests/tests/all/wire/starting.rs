//! Every function starts: its release binary in a process of its own, against ministack, fed by a Runtime API.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use app::message::{CollectCml, CollectLabs, Message};
use app::ports::{Clock, Files, Queue};
use aws::{DynamoTable, KmsSealer, S3Files};
use axum::Router;
use axum::routing::{get, post};
use domain::{Role, SignedDuration};
use functions::SystemClock;
use functions::environment::queue_variable;
use http_api::token::KeySource;
use http_api::{FUNCTIONS, Function, Trigger};
use serde_json::{Value, json};

use super::lambda::Lambda;
use super::queues::TestQueue;
use super::runtime_api::{Outcome, PATIENCE};
use super::set_up;
use crate::handlers::{fixtures, tokens, world};
use crate::support::{Server, start};

/// The end of `SIGTERM`, by its default action.
const SIGTERM: i32 = 15;

/// What a function finds when it starts.
struct Ground {
    issuer: Server,
    sealer: KmsSealer,
    kms_key: String,
    queues: BTreeMap<Queue, TestQueue>,
    tables: AtomicUsize,
}

impl Ground {
    async fn new(test: &str) -> Self {
        let kms = aws_sdk_kms::Client::new(&aws::sdk_config_for(&set_up("WIRE_MINISTACK_URL")));
        let made = kms.create_key().description(test).send().await.unwrap();
        let kms_key = made.key_metadata.unwrap().arn.unwrap();
        let mut queues = BTreeMap::new();
        for queue in Queue::ALL {
            queues.insert(queue, TestQueue::new(queue, &format!("{test}-{}", queue.name())).await);
        }
        let sealer = KmsSealer::new(kms, kms_key.clone(), Arc::new(SystemClock));
        Self { issuer: issuer().await, sealer, kms_key, queues, tables: AtomicUsize::new(0) }
    }

    /// The variables of the function, with a table of its own that holds the small fleet.
    async fn variables(&self, function: &Function, test: &str) -> BTreeMap<String, String> {
        let number = self.tables.fetch_add(1, Ordering::SeqCst);
        let name = format!("{test}-{}-{number}", std::process::id());
        let url = set_up("WIRE_MINISTACK_URL");
        let client = aws_sdk_dynamodb::Client::new(&aws::sdk_config_for(&url));
        aws::create_table(&client, &name).await.unwrap();
        // The session's tokens are good for five minutes, and refreshed in the last of them.
        let begun = SystemClock.now() - SignedDuration::from_secs(4 * 60 + 5);
        world::fleet_in(Arc::new(DynamoTable::new(client, &name)), &self.sealer, begun).await;
        let mut variables = fixtures::environment(function.name);
        let found: Vec<_> =
            self.queues.iter().map(|(queue, made)| (queue_variable(*queue), made.url.clone())).collect();
        // Only those that the template would give it.
        for (variable, url) in found {
            variables.entry(variable).and_modify(|value| *value = url);
        }
        if let Some(bucket) = variables.get_mut("FILES_BUCKET") {
            *bucket = format!("{test}-files-{}-{number}", std::process::id());
            let s3 = aws_sdk_s3::Client::new(&aws::sdk_config_for(&url));
            s3.create_bucket().bucket(bucket.as_str()).send().await.unwrap();
            let files = S3Files::new(s3, bucket.clone());
            files.put(&world::labs::file_key(), world::labs::TOPOLOGY.as_bytes()).await.unwrap();
        }
        variables.insert("TABLE_NAME".into(), name);
        variables.insert("AWS_ENDPOINT_URL".into(), url);
        variables.insert("KMS_KEY_ID".into(), self.kms_key.clone());
        variables.insert("OIDC_ISSUER".into(), tokens::config().issuer);
        variables.insert("OIDC_INTERNAL_ISSUER".into(), self.issuer.url.clone());
        variables.insert("OIDC_JWKS_URL".into(), format!("{}/jwks", self.issuer.url));
        variables
    }
}

/// What the issuer of the fixtures' tokens answers functions.
async fn issuer() -> Server {
    let router = Router::new()
        .route("/jwks", get(async || tokens::Published.fetch().await.unwrap()))
        .route("/.well-known/openid-configuration", get(async || discovery().to_string()))
        .route("/token", post(async || granted().to_string()))
        .route("/revoke", post(async || ""));
    start(|listener| async move { axum::serve(listener, router).await.unwrap() }).await
}

fn discovery() -> Value {
    let issuer = tokens::config().issuer;
    let at = |path: &str| format!("{issuer}/{path}");
    json!({
        "issuer": issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "revocation_endpoint": at("revoke"), "end_session_endpoint": at("logout"),
    })
}

/// The tokens that a manager signs in with.
fn granted() -> Value {
    let access = claims_now(Role::Manager);
    let mut id = access.clone();
    (id["typ"], id["nonce"]) = ("ID".into(), world::NONCE.into());
    json!({
        "access_token": tokens::sign(&access), "id_token": tokens::sign(&id),
        "refresh_token": "the-refresh-token-1", "token_type": "Bearer",
    })
}

/// What a token says that is made now.
fn claims_now(role: Role) -> Value {
    let now = SystemClock.now().as_second();
    let mut claims = tokens::claims(role);
    (claims["iat"], claims["exp"]) = (now.into(), (now + 3600).into());
    claims
}

/// The function's fixture, signed where it must be.
fn event(function: &Function) -> Value {
    let mut event = fixtures::event(function.name);
    if let Some(endpoint) = function.endpoint() {
        // What the fixtures name is the user's.
        let role = if endpoint.of_owner { Role::User } else { Role::Admin };
        event["headers"]["authorization"] = format!("Bearer {}", tokens::sign(&claims_now(role))).into();
    }
    match function.name {
        // The one that runs has an address outside this machine.
        "collect-cml" => {
            let worker_ids = vec![world::TERMINATED.parse().unwrap()];
            event["Records"][0]["body"] = CollectCml { worker_ids }.body().into();
        }
        "collect-labs" => {
            let worker_ids = vec![world::TERMINATED.parse().unwrap()];
            event["Records"][0]["body"] = CollectLabs { worker_ids }.body().into();
        }
        // The fixture's key expires some day.
        "create-api-key" => {
            event["body"] =
                json!({"name": "nightly checks", "scopes": ["workers:read"], "kind": "signing"}).to_string().into();
        }
        _ => {}
    }
    event
}

/// What answers otherwise than its row promises, and how. The controller of the fixtures' worker is outside this
/// machine; and the evidence of the fixtures was kept for a month that is over by this machine's clock.
const ANSWERS_OTHERWISE: [(&str, u64); 3] = [("download-lab", 503), ("query-cml", 503), ("download-evidence", 404)];

fn other_answer(function: &Function) -> Option<u64> {
    ANSWERS_OTHERWISE.into_iter().find(|(name, _)| *name == function.name).map(|(_, status)| status)
}

/// The answer to a function's first event is the one that its row promises.
fn check_first(function: &Function, outcome: &Outcome) {
    let Outcome::Answer(answer) = outcome else { panic!("{}: {outcome:?}", function.name) };
    match function.trigger {
        Trigger::Http(endpoint) => {
            let status = other_answer(function).unwrap_or(u64::from(endpoint.answer.0));
            assert_eq!(answer["statusCode"], status, "{}: {answer}", function.name);
        }
        Trigger::Queue { .. } => assert_eq!(*answer, json!({ "batchItemFailures": [] }), "{}", function.name),
        _ if answer.is_null() => {}
        _ => assert_eq!(*answer, json!({ "batchItemFailures": [] }), "{}", function.name),
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the times are for whoever runs it with --nocapture")]
async fn every_function_starts_answers_twice_and_ends() {
    let ground = Ground::new("starting").await;
    let mut times = String::new();
    for function in FUNCTIONS {
        let name = function.name;
        let variables = ground.variables(function, "starting").await;
        let mut lambda = Lambda::start(function, name, &variables).await;
        let time = lambda.time_to_first_event().await;
        check_first(function, &lambda.api.invoke(&event(function), function.time_limit()).await);
        let second = lambda.api.invoke(&event(function), function.time_limit()).await;
        match (&second, function.endpoint()) {
            // A command may find that the first one did its work, but never fails.
            (Outcome::Answer(_), Some(_)) if other_answer(function).is_some() => check_first(function, &second),
            (Outcome::Answer(answer), Some(_)) => {
                assert!(answer["statusCode"].as_u64().is_some_and(|status| status < 500), "{name}: {answer}");
            }
            _ => check_first(function, &second),
        }
        let (status, output) = lambda.terminate().await;
        assert_eq!(status.signal(), Some(SIGTERM), "{name}: {output}");
        writeln!(times, "{name:24} {:7.1} ms", time.as_secs_f64() * 1000.0).unwrap();
    }
    println!("From its start to its first GET /next:\n{times}");
}

#[tokio::test]
async fn a_handler_that_the_zone_does_not_have_ends_the_process_with_its_name() {
    let ground = Ground::new("handler").await;
    let function = fixtures::function("get-worker");
    let variables = ground.variables(function, "handler").await;
    for handler in ["bootstrap", "run-operation"] {
        let (status, output) = Lambda::start(function, handler, &variables).await.end().await;
        assert!(status.code().is_some_and(|code| code != 0), "{status}");
        assert!(output.contains(handler), "{output}");
    }
}

#[tokio::test]
async fn a_missing_variable_ends_the_process_with_its_name() {
    let ground = Ground::new("variable").await;
    for (name, variable) in [
        ("create-worker", "OIDC_ISSUER"),
        ("create-worker", "QUEUE_URL_OPERATIONS"),
        ("login", "OIDC_AUDIENCES"),
        ("create-api-key", "KMS_KEY_ID"),
        ("run-operation", "TABLE_NAME"),
        ("collect-cml", "STACK_NAME"),
    ] {
        let function = fixtures::function(name);
        let mut variables = ground.variables(function, "variable").await;
        assert!(variables.remove(variable).is_some(), "{name} has {variable}");
        let (status, output) = Lambda::start(function, name, &variables).await.end().await;
        assert!(status.code().is_some_and(|code| code != 0), "{status}");
        assert!(output.contains(variable), "{output}");
    }
}

#[tokio::test]
async fn a_malformed_event_is_an_error_and_the_process_goes_on() {
    let ground = Ground::new("malformed").await;
    for name in ["get-worker", "run-operation", "record-instance-state"] {
        let function = fixtures::function(name);
        let mut lambda = Lambda::start(function, name, &ground.variables(function, "malformed").await).await;
        match lambda.api.invoke(&json!({ "detail": {} }), PATIENCE).await {
            Outcome::Error(kind, message) => assert_eq!(kind, "MalformedEvent", "{name}: {message}"),
            answer @ Outcome::Answer(_) => panic!("{name}: {answer:?}"),
        }
        let no_json = lambda.api.invoke_text("no JSON".into(), PATIENCE).await;
        assert!(matches!(no_json, Outcome::Error(..)), "{name}: {no_json:?}");
        check_first(function, &lambda.api.invoke(&event(function), PATIENCE).await);
        assert!(lambda.is_alive());
    }
}

#[tokio::test]
async fn an_aws_that_never_answers_is_given_up_before_lambda_ends_the_invocation() {
    let ground = Ground::new("hanging").await;
    // Takes connections, as the kernel does for every listener, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let time = Duration::from_secs(4);
    for name in ["get-worker", "create-worker", "run-operation", "control-power", "dispatch-power"] {
        let function = fixtures::function(name);
        let mut variables = ground.variables(function, "hanging").await;
        variables.insert("AWS_ENDPOINT_URL".into(), endpoint.clone());
        for (_, url) in variables.iter_mut().filter(|(variable, _)| variable.starts_with("QUEUE_URL_")) {
            *url = format!("{endpoint}/queue");
        }
        let mut lambda = Lambda::start(function, name, &variables).await;
        lambda.time_to_first_event().await;
        let event = event(function);
        let outcome = lambda.api.invoke(&event, time).await;
        match (function.trigger, outcome) {
            (Trigger::Http(_), Outcome::Answer(answer)) => {
                assert_eq!(answer["statusCode"], 503, "{name}: {answer}");
                assert_eq!(answer["headers"]["x-request-id"], event["requestContext"]["requestId"], "{name}");
                assert!(answer["headers"]["retry-after"].is_string(), "{name}: {answer}");
            }
            (Trigger::Queue { .. }, Outcome::Answer(answer)) => {
                let failed = answer["batchItemFailures"].as_array().map(Vec::len);
                assert_eq!(failed, event["Records"].as_array().map(Vec::len), "{name}: {answer}");
            }
            (Trigger::Schedule { .. }, Outcome::Error(kind, message)) => {
                assert_eq!(kind, "OutOfTime", "{message}");
                assert!(message.contains(name), "{message}");
            }
            (_, outcome) => panic!("{name}: {outcome:?}"),
        }
        assert!(lambda.is_alive(), "{name}");
    }
}

/// Source: the budget of resident memory.
const RESIDENT_MAX_KIB: u64 = 40 * 1024;
/// What an allocator may still take once everything was used; a leak of 3 KiB an invocation is more.
const GROWTH_MAX_KIB: u64 = 2 * 1024;

#[tokio::test]
async fn memory_stays_small_and_flat_over_a_thousand_invocations() {
    let ground = Ground::new("memory").await;
    for name in ["openapi", "get-worker", "collect-cml"] {
        let function = fixtures::function(name);
        let mut lambda = Lambda::start(function, name, &ground.variables(function, "memory").await).await;
        lambda.time_to_first_event().await;
        let (event, mut settled) = (event(function), 0);
        for number in 1..=1000 {
            check_first(function, &lambda.api.invoke(&event, PATIENCE).await);
            if number == 100 {
                settled = lambda.resident_kib();
            }
        }
        let resident = lambda.resident_kib();
        assert!(resident <= RESIDENT_MAX_KIB, "{name}: {resident} KiB");
        assert!(resident <= settled + GROWTH_MAX_KIB, "{name}: {settled} KiB after 100, {resident} KiB after 1000");
    }
}
