//! An issuer of real tokens, and an authenticator that believes it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use app::ports::PortError;
use app::testing::ManualClock;
use async_trait::async_trait;
use domain::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::problem::Problem;
use crate::token::{AuthConfig, Authenticator, KeySource, RoleRules};

pub(in crate::token) const ISSUER: &str = "https://issuer.example/realms/lab";
pub(in crate::token) const NOW: i64 = 1_800_000_000;

pub(in crate::token) struct TestKey {
    pub(in crate::token) private: EncodingKey,
    pub(in crate::token) public_pem: String,
}

/// Making an RSA key takes a while: two are made, once.
pub(in crate::token) static KEYS: LazyLock<[TestKey; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("the same key");
        TestKey { private, public_pem: pair.public_key_pem() }
    })
});

pub(in crate::token) fn jwks(kids: &[(&str, usize)]) -> String {
    let keys = kids.iter().map(|(kid, n)| {
        let mut jwk = Jwk::from_encoding_key(&KEYS[*n].private, Algorithm::RS256).expect("a JWK");
        jwk.common.key_id = Some((*kid).to_owned());
        jwk
    });
    serde_json::to_string(&JwkSet { keys: keys.collect() }).expect("JSON")
}

#[derive(Default)]
pub(in crate::token) struct FakeSource {
    answer: Mutex<Option<String>>,
    fetches: AtomicU32,
}

impl FakeSource {
    pub(in crate::token) fn show(&self, jwks: Option<String>) {
        *self.answer.lock().expect("lock") = jwks;
    }

    pub(in crate::token) fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for FakeSource {
    async fn fetch(&self) -> Result<String, PortError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        // Lets others run, so that they can ask at the same time.
        tokio::task::yield_now().await;
        self.answer.lock().expect("lock").clone().ok_or_else(|| PortError::new("jwks.get", "no answer"))
    }
}

/// What is believed: one issuer, for two audiences.
pub(in crate::token) fn config() -> AuthConfig {
    AuthConfig {
        issuer: ISSUER.into(),
        audiences: vec!["ccm".into(), "ccm-web".into()],
        leeway_secs: 30,
        roles: RoleRules::usual(&["ccm".into(), "ccm-web".into()]),
    }
}

pub(in crate::token) struct World {
    pub(in crate::token) auth: Authenticator,
    pub(in crate::token) source: Arc<FakeSource>,
    pub(in crate::token) clock: Arc<ManualClock>,
}

impl World {
    pub(in crate::token) fn new() -> Self {
        let source = Arc::new(FakeSource::default());
        source.show(Some(jwks(&[("first", 0)])));
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(NOW).expect("a time")));
        let keys: Arc<dyn KeySource> = source.clone();
        Self { auth: Authenticator::new(config(), keys, clock.clone()), source, clock }
    }

    pub(in crate::token) async fn bearer(&self, token: &str) -> Result<Caller, Problem> {
        self.auth.authenticate(&format!("Bearer {token}")).await
    }

    /// Why the token is refused, after the challenge has been checked.
    pub(in crate::token) async fn refused(&self, token: &str) -> String {
        let problem = self.bearer(token).await.expect_err("refused");
        assert_eq!(problem.status, 401, "{problem:?}");
        assert_eq!(
            problem.headers,
            [("www-authenticate", "Bearer realm=\"cml-cloud-manager\", error=\"invalid_token\"".to_owned())]
        );
        problem.detail
    }
}

pub(in crate::token) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "s-1", "aud": ["account", "ccm"], "exp": NOW + 300, "typ": "Bearer",
        "preferred_username": "ada", "realm_access": {"roles": ["offline_access", "manager", "user"]},
    })
}

/// The claims with some changed; null takes one away.
pub(in crate::token) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

pub(in crate::token) fn sign(kid: &str, n: usize, claims: &Value) -> String {
    let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &KEYS[n].private).expect("a token")
}

pub(in crate::token) fn good() -> String {
    sign("first", 0, &claims())
}
