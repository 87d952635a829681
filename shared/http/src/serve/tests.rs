//! What every answer has, and who is let through to an endpoint.

use std::sync::Arc;

use app::ports::{Clock, Outgoing, PortError, Queue, Queues, Timer};
use app::testing::{CountingRandom, ManualClock, MemoryTable};
use app::{Context, Settings};
use async_trait::async_trait;
use domain::{Role, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::function::{Access, Handler, Trigger};
use crate::request::BODY_MAX_BYTES;
use crate::table;
use crate::token::{AuthConfig, Authenticator, KeySource, RoleRules};

struct NoQueues;

#[async_trait]
impl Queues for NoQueues {
    async fn send(&self, _: Queue, _: Vec<Outgoing>) -> Result<(), PortError> {
        Err(PortError::new("test.send", "there are no queues here"))
    }
}

/// Nobody waits here for long.
struct Never;

#[async_trait]
impl Timer for Never {
    async fn after(&self, _: std::time::Duration) {
        std::future::pending::<()>().await;
    }
}

struct Keys(String);

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok(self.0.clone())
    }
}

struct World {
    api: Api,
    key: EncodingKey,
}

impl World {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("the same key");
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).expect("a JWK");
        jwk.common.key_id = Some("k".into());
        let jwks = serde_json::to_string(&JwkSet { keys: vec![jwk] }).expect("JSON");
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let config = AuthConfig {
            issuer: "test".into(),
            audiences: vec!["ccm".into()],
            leeway_secs: 0,
            roles: RoleRules::usual(&[]),
        };
        let context = Context::new(
            Arc::new(MemoryTable::default()),
            Arc::new(NoQueues),
            Arc::clone(&clock),
            Arc::clone(&clock),
            Arc::new(CountingRandom::default()),
            Settings::new("123456789012".parse().expect("an account")),
        );
        let auth = Arc::new(Authenticator::new(config, Arc::new(Keys(jwks)), clock));
        let api = Api {
            context,
            auth,
            controllers: None,
            timer: Arc::new(Never),
            secrets: None,
            files: None,
            sealer: None,
            identity: None,
        };
        Self { api, key }
    }

    fn bearer(&self, role: Role) -> (String, String) {
        let claims =
            json!({"iss": "test", "aud": "ccm", "sub": "s", "exp": 60, "realm_access": {"roles": [role.name()]}});
        let header = Header { kid: Some("k".into()), ..Header::new(Algorithm::RS256) };
        ("authorization".into(), format!("Bearer {}", encode(&header, &claims, &self.key).expect("a token")))
    }

    async fn call(&self, function: &Function, headers: &[(String, String)], body: &str) -> Response {
        self.call_until(std::future::pending(), function, headers, body).await
    }

    async fn call_until(
        &self,
        out_of_time: impl Future<Output = ()>,
        function: &Function,
        headers: &[(String, String)],
        body: &str,
    ) -> Response {
        let incoming = Incoming {
            path: "/api/somewhere".into(),
            headers: headers.iter().cloned().chain([("x-request-id".to_owned(), "theirs".to_owned())]).collect(),
            body: body.into(),
            request_id: "req-1".into(),
            ..Incoming::default()
        };
        serve(&self.api, function, incoming, out_of_time).await
    }
}

/// get-worker's row with another endpoint behind it.
fn endpoint(access: Access, handler: Handler) -> Function {
    let mut function = *table::find("get-worker").expect("in the table");
    if let Trigger::Http(endpoint) = &mut function.trigger {
        endpoint.access = access;
        endpoint.handler = handler;
    }
    function
}

fn values<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    response.headers.iter().filter(|(n, _)| *n == name).map(|(_, value)| value.as_str()).collect()
}

fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).expect("JSON")
}

#[tokio::test]
async fn every_answer_has_each_of_our_headers_exactly_once() {
    let world = World::new();
    let greedy = endpoint(Access::Public, |_, _| {
        Box::pin(async { Ok(Response::no_content().header("x-request-id", "x").header("x-service-name", "x")) })
    });
    let private = endpoint(Access::Role(Role::User), |_, _| Box::pin(async { Ok(Response::no_content()) }));
    for (function, status) in [(&greedy, 204), (&private, 401)] {
        let response = world.call(function, &[], "").await;
        assert_eq!(response.status, status);
        assert_eq!(values(&response, "x-service-name"), ["cml-cloud-manager"]);
        assert_eq!(values(&response, "x-request-id"), ["req-1"]);
        assert_eq!(values(&response, "cache-control"), ["no-store"]);
        assert_eq!(values(&response, "x-content-type-options"), ["nosniff"]);
        assert_eq!(values(&response, "strict-transport-security").len(), 1);
        assert_eq!(values(&response, "content-security-policy"), ["default-src 'none'; frame-ancestors 'none'"]);
    }
    let docs = world.call(table::find("docs").expect("in the table"), &[], "").await;
    let policy = values(&docs, "content-security-policy");
    assert!(policy.len() == 1 && policy[0].contains("script-src 'sha256-"), "{policy:?}");
}

#[tokio::test]
async fn each_endpoint_of_the_table_refuses_strangers_and_lesser_roles_before_anything_else() {
    let world = World::new();
    for function in table::FUNCTIONS {
        let Some(Access::Role(needed)) = function.endpoint().map(|e| e.access) else { continue };
        let stranger = world.call(function, &[], "not JSON").await;
        assert_eq!((stranger.status, values(&stranger, "www-authenticate").len()), (401, 1), "{}", function.name);
        for role in Role::ALL.into_iter().filter(|role| *role < needed) {
            let response = world.call(function, &[world.bearer(role)], "not JSON").await;
            assert_eq!(response.status, 403, "{} as {}", function.name, role.name());
            assert!(body(&response)["detail"].as_str().expect("detail").contains(needed.name()));
        }
    }
}

#[tokio::test]
async fn each_role_from_the_least_one_on_reaches_the_endpoint() {
    let world = World::new();
    for needed in Role::ALL {
        let function = endpoint(Access::Role(needed), |_, request| {
            Box::pin(async { Ok(Response::json(200, &request.caller()?.role.name())) })
        });
        for role in Role::ALL {
            let response = world.call(&function, &[world.bearer(role)], "").await;
            assert_eq!(response.status, if role < needed { 403 } else { 200 });
        }
    }
}

#[tokio::test]
async fn a_problem_is_problem_json_with_the_path_and_the_request_id() {
    let world = World::new();
    let failing = endpoint(Access::Public, |_, _| {
        Box::pin(async { Err(app::AppError::Unavailable(PortError::new("dynamodb.Query", "secret endpoint")).into()) })
    });
    let response = world.call(&failing, &[], "").await;
    assert_eq!((response.status, values(&response, "content-type")), (503, vec!["application/problem+json"]));
    assert_eq!(values(&response, "retry-after").len(), 1);
    let problem = body(&response);
    assert_eq!((&problem["instance"], &problem["request_id"]), (&json!("/api/somewhere"), &json!("req-1")));
    assert!(!response.body.contains("secret"), "{}", response.body);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_sign_in() {
    let world = World::new();
    let function = table::find("create-worker").expect("in the table");
    let response = world.call(function, &[], &" ".repeat(BODY_MAX_BYTES + 1)).await;
    assert_eq!(response.status, 413);
}

#[tokio::test]
async fn two_authorization_headers_are_refused_even_when_each_is_good() {
    let world = World::new();
    let (name, value) = world.bearer(Role::Admin);
    let function = table::find("list-workers").expect("in the table");
    let response = world.call(function, &[(name, format!("{value},{value}"))], "").await;
    assert_eq!(response.status, 401);
}

#[tokio::test]
async fn a_panic_is_an_answer_with_a_request_id() {
    let world = World::new();
    let panicking = endpoint(Access::Public, |_, _| Box::pin(async { panic!("on purpose") }));
    let response = world.call(&panicking, &[], "").await;
    assert_eq!((response.status, body(&response)["request_id"].as_str()), (500, Some("req-1")));
}

#[tokio::test]
async fn an_endpoint_that_is_out_of_time_is_given_up_with_a_problem() {
    let world = World::new();
    let hanging = endpoint(Access::Public, |_, _| Box::pin(std::future::pending()));
    let response = world.call_until(std::future::ready(()), &hanging, &[], "").await;
    assert_eq!((response.status, values(&response, "retry-after")), (503, vec!["5"]));
    assert_eq!(
        (body(&response)["request_id"].as_str(), values(&response, "x-request-id")),
        (Some("req-1"), vec!["req-1"])
    );
    let quick = endpoint(Access::Public, |_, _| Box::pin(async { Ok(Response::no_content()) }));
    assert_eq!(world.call_until(std::future::ready(()), &quick, &[], "").await.status, 204, "it was done in time");
}

#[tokio::test]
async fn a_function_without_an_endpoint_answers_no_request() {
    let response = World::new().call(table::find("collect-aws").expect("in the table"), &[], "").await;
    assert_eq!(response.status, 500);
}
