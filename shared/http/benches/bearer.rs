//! What it costs to let a request with a bearer token in: the route, the RS256 check with a warm key, the claims,
//! the role, the endpoint, the answer. No I/O. Budget: p50 at most 150 µs (docs/BENCHMARKS.md).
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::sync::{Arc, LazyLock};

use app::ports::{Clock, Outgoing, PortError, Queue, Queues, Timer};
use app::testing::{CountingRandom, ManualClock, MemoryTable};
use app::{Context, Settings};
use async_trait::async_trait;
use ccm_http::Incoming;
use ccm_http::serve::serve;
use ccm_http::token::{AuthConfig, Authenticator, KeySource, RoleRules};
use ccm_http::{Api, Response};
use domain::Timestamp;
use futures::executor::block_on;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto, encode};
use serde_json::json;

const ISSUER: &str = "https://issuer.example/realms/lab";
const CLIENT: &str = "cml-cloud-manager-public";

/// An API that believes one issuer, and a token of that issuer as large as Keycloak's.
struct World {
    api: Api,
    token: String,
    public: DecodingKey,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&private, Algorithm::RS256).unwrap();
    jwk.common.key_id = Some("key".into());
    let jwks = serde_json::to_string(&JwkSet { keys: vec![jwk] }).unwrap();

    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let config = AuthConfig {
        issuer: ISSUER.into(),
        audiences: vec![CLIENT.into()],
        leeway_secs: 60,
        roles: RoleRules::usual(&[CLIENT.into()]),
    };
    let context = Context::new(
        Arc::new(MemoryTable::default()),
        Arc::new(Nothing),
        Arc::clone(&clock),
        Arc::clone(&clock),
        Arc::new(CountingRandom::default()),
        Settings::new("123456789012".parse().unwrap()),
    );
    let auth = Arc::new(Authenticator::new(config, Arc::new(Keys(jwks)), clock));
    let timer = Arc::new(Nothing);
    let api = Api { context, auth, timer, controllers: None, files: None, secrets: None, sealer: None, identity: None };
    World { api, token: token(&private), public }
});

/// The claims that Keycloak 26 puts into an access token.
fn token(private: &EncodingKey) -> String {
    let claims = json!({
        "exp": 300, "iat": 0, "auth_time": 0, "jti": "onrtac:5d7ac7b4-1a52-4b52-a4b2-8a5a1c3e9a55", "iss": ISSUER,
        "aud": [CLIENT, "account"], "sub": "7a7d7ab1-5a0e-4b7c-8d3f-6a8a0f3f1f5c", "typ": "Bearer", "azp": CLIENT,
        "sid": "0b1c6fe4-0b59-4a35-9f0f-2ff0c9d0a6a1", "acr": "1", "allowed-origins": ["https://ccm.example"],
        "realm_access": {"roles": ["offline_access", "uma_authorization", "manager", "user"]},
        "resource_access": {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}},
        "scope": "openid email profile", "email_verified": true, "name": "Ada Lovelace",
        "preferred_username": "ada", "given_name": "Ada", "family_name": "Lovelace", "email": "ada@example.org",
    });
    let header = Header { kid: Some("key".into()), ..Header::new(Algorithm::RS256) };
    encode(&header, &claims, private).unwrap()
}

/// A request to that function with that token.
fn call(function: &str, token: &str) -> Response {
    let mut incoming = Incoming { path: "/api/x".into(), request_id: "request-1".into(), ..Incoming::default() };
    incoming.headers.insert("authorization".into(), format!("Bearer {token}"));
    block_on(serve(&WORLD.api, ccm_http::find(function).unwrap(), incoming, std::future::pending()))
}

fn main() {
    // Reads the key, and shows that what is measured is what is meant.
    let forged = format!("{}AAAA", &WORLD.token[..WORLD.token.len() - 4]);
    assert_eq!(call("whoami", &WORLD.token).status, 200);
    assert_eq!(call("whoami", &forged).status, 401);
    divan::main();
}

/// What no middleware can do without: the signature alone.
#[divan::bench(sample_count = 20_000, sample_size = 1)]
fn bare_rs256_verify() -> bool {
    let (message, signature) = WORLD.token.rsplit_once('.').unwrap();
    crypto::verify(signature, message.as_bytes(), &WORLD.public, Algorithm::RS256).unwrap()
}

/// The whole of a request that needs nothing but its token: `GET /api/auth/me`.
#[divan::bench(sample_count = 20_000, sample_size = 1)]
fn request_with_a_bearer_token() -> Response {
    call("whoami", &WORLD.token)
}

struct Keys(String);

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok(self.0.clone())
    }
}

struct Nothing;

#[async_trait]
impl Timer for Nothing {
    async fn after(&self, _: std::time::Duration) {
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Queues for Nothing {
    async fn send(&self, _: Queue, _: Vec<Outgoing>) -> Result<(), PortError> {
        Err(PortError::new("bench.send", "there are no queues here"))
    }
}
