//! Good tokens, bad tokens, and an issuer that changes its keys or does not answer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use app::testing::ManualClock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Role, SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{EncodingKey, encode};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://issuer.example/realms/lab";
const NOW: i64 = 1_800_000_000;

struct TestKey {
    private: EncodingKey,
    public_pem: String,
}

/// Making an RSA key takes a while: two are made, once.
static KEYS: LazyLock<[TestKey; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("the same key");
        TestKey { private, public_pem: pair.public_key_pem() }
    })
});

fn jwks(kids: &[(&str, usize)]) -> String {
    let keys = kids.iter().map(|(kid, n)| {
        let mut jwk = Jwk::from_encoding_key(&KEYS[*n].private, Algorithm::RS256).expect("a JWK");
        jwk.common.key_id = Some((*kid).to_owned());
        jwk
    });
    serde_json::to_string(&JwkSet { keys: keys.collect() }).expect("JSON")
}

#[derive(Default)]
struct FakeSource {
    answer: Mutex<Option<String>>,
    fetches: AtomicU32,
}

impl FakeSource {
    fn show(&self, jwks: Option<String>) {
        *self.answer.lock().expect("lock") = jwks;
    }

    fn fetches(&self) -> u32 {
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

struct World {
    auth: Authenticator,
    source: Arc<FakeSource>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let source = Arc::new(FakeSource::default());
        source.show(Some(jwks(&[("first", 0)])));
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(NOW).expect("a time")));
        let config = AuthConfig {
            issuer: ISSUER.into(),
            audiences: vec!["ccm".into(), "ccm-web".into()],
            leeway_secs: 30,
            roles: RoleRules::usual(&["ccm".into(), "ccm-web".into()]),
        };
        let keys: Arc<dyn KeySource> = source.clone();
        Self { auth: Authenticator::new(config, keys, clock.clone()), source, clock }
    }

    async fn bearer(&self, token: &str) -> Result<Caller, Problem> {
        self.auth.authenticate(&format!("Bearer {token}")).await
    }

    /// Why the token is refused, after the challenge has been checked.
    async fn refused(&self, token: &str) -> String {
        let problem = self.bearer(token).await.expect_err("refused");
        assert_eq!(problem.status, 401, "{problem:?}");
        assert_eq!(
            problem.headers,
            [("www-authenticate", "Bearer realm=\"cml-cloud-manager\", error=\"invalid_token\"".to_owned())]
        );
        problem.detail
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "s-1", "aud": ["account", "ccm"], "exp": NOW + 300, "typ": "Bearer",
        "preferred_username": "ada", "realm_access": {"roles": ["offline_access", "manager", "user"]},
    })
}

/// The claims with some changed; null takes one away.
fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

fn sign(kid: &str, n: usize, claims: &Value) -> String {
    let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &KEYS[n].private).expect("a token")
}

fn good() -> String {
    sign("first", 0, &claims())
}

#[tokio::test]
async fn a_good_token_tells_who_calls() {
    let world = World::new();
    let ada =
        Caller::person_via(Person { subject: "s-1".into(), username: "ada".into(), role: Role::Manager }, Via::Token);
    assert_eq!(world.bearer(&good()).await, Ok(ada.clone()));
    assert_eq!(world.auth.authenticate(&format!("  bEaReR   {} ", good())).await, Ok(ada));
    assert_eq!(world.source.fetches(), 1);
}

#[tokio::test]
async fn roles_and_names_come_from_either_provider() {
    let world = World::new();
    for (changes, username, role) in [
        (json!({"realm_access": null, "resource_access": {"ccm-web": {"roles": ["admin"]}}}), "ada", Role::Admin),
        (
            json!({"aud": null, "client_id": "ccm", "token_use": "access", "typ": null, "realm_access": null,
                   "cognito:groups": ["user"], "preferred_username": null, "username": "bob"}),
            "bob",
            Role::User,
        ),
        (json!({"preferred_username": "", "cognito:username": "cy"}), "cy", Role::Manager),
        (json!({"aud": "ccm", "preferred_username": null, "nbf": NOW + 29, "exp": NOW - 29}), "s-1", Role::Manager),
        (json!({"exp": NOW as f64 + 0.5, "realm_access": {"roles": ["admin", "user", 7]}}), "ada", Role::Admin),
    ] {
        let caller = world.bearer(&sign("first", 0, &claims_with(&changes))).await.expect("good");
        assert_eq!((caller.username.as_str(), caller.role), (username, role), "{changes}");
    }
}

#[tokio::test]
async fn a_token_without_a_role_of_ours_is_known_but_not_allowed() {
    let world = World::new();
    for changes in [
        json!({"realm_access": null}),
        json!({"realm_access": {"roles": ["Admin", "root"]}}),
        json!({"realm_access": "admin", "cognito:groups": "admin", "resource_access": {"other": {"roles": ["admin"]}}}),
    ] {
        let problem = world.bearer(&sign("first", 0, &claims_with(&changes))).await.expect_err("no role");
        assert_eq!(problem.status, 403, "{changes}");
        assert!(problem.detail.contains("none of the roles"), "{}", problem.detail);
    }
}

#[tokio::test]
async fn a_claim_that_is_wrong_refuses_the_token() {
    let world = World::new();
    for (changes, why) in [
        (json!({"iss": "https://issuer.example/realms/other"}), "another issuer"),
        (json!({"iss": null}), "claims are wrong"),
        (json!({"aud": ["account"], "client_id": "ccm"}), "another audience"),
        (json!({"aud": null}), "another audience"),
        (json!({"aud": null, "client_id": "other"}), "another audience"),
        (json!({"exp": NOW - 30}), "has expired"),
        (json!({"exp": null}), "claims are wrong"),
        (json!({"nbf": NOW + 31}), "not valid yet"),
        (json!({"typ": "ID"}), "not an access token"),
        (json!({"typ": "Refresh"}), "not an access token"),
        (json!({"token_use": "id"}), "not an access token"),
        (json!({"at_hash": "x"}), "not an access token"),
        (json!({"sub": ""}), "whose it is"),
    ] {
        let detail = world.refused(&sign("first", 0, &claims_with(&changes))).await;
        assert!(detail.contains(why), "{changes}: {detail}");
    }
}

#[tokio::test]
async fn a_token_that_the_issuer_did_not_sign_is_refused() {
    let world = World::new();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |alg: &str| format!("{}.{}.", part(&json!({"alg": alg, "kid": "first"})), part(&claims()));
    for alg in ["none", "None", "nOnE"] {
        assert!(world.refused(&unsigned(alg)).await.contains("cannot be read"));
    }
    assert!(world.refused(&unsigned("RS256")).await.contains("signature"));

    // The public key as a shared secret: who trusts the header's algorithm believes this one.
    let header = Header { kid: Some("first".into()), ..Header::new(Algorithm::HS256) };
    let confused =
        encode(&header, &claims(), &EncodingKey::from_secret(KEYS[0].public_pem.as_bytes())).expect("a token");
    assert!(world.refused(&confused).await.contains("RS256"));

    assert!(world.refused(&sign("first", 1, &claims())).await.contains("signature"));
    assert!(world.refused(&sign("second", 1, &claims())).await.contains("does not have"));
    let (start, signature) = good().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("three parts");
    let header = start.split('.').next().expect("a header");
    let altered =
        format!("{header}.{}.{signature}", part(&claims_with(&json!({"realm_access": {"roles": ["admin"]}}))));
    assert!(world.refused(&altered).await.contains("signature"));
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_is_understood_is_refused() {
    let world = World::new();
    let sign_with = |change: fn(&mut Header)| {
        let mut header = Header { kid: Some("first".into()), ..Header::new(Algorithm::RS256) };
        change(&mut header);
        encode(&header, &claims(), &KEYS[0].private).expect("a token")
    };
    for (token, why) in [
        (sign_with(|h| h.kid = None), "name the key"),
        (sign_with(|h| h.crit = Some(vec!["b64".into()])), "extensions"),
        (sign_with(|h| h.typ = Some("logout+jwt".into())), "not an access token"),
        (sign_with(|h| h.alg = Algorithm::RS512), "RS256"),
    ] {
        let detail = world.refused(&token).await;
        assert!(detail.contains(why), "{why}: {detail}");
    }
    assert!(world.bearer(&sign_with(|h| h.typ = Some("at+jwt".into()))).await.is_ok());
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_the_issuer() {
    let world = World::new();
    for token in ["", "x", "a.b", "a.b.c", "a.b.c.d", "{}", "\u{e9}.b.c"] {
        assert!(world.refused(token).await.contains("cannot be read"), "{token}");
    }
    assert!(world.refused(&format!("{0}, Bearer {0}", good())).await.contains("exactly one"));
    assert!(world.refused(&format!("{0} {0}", good())).await.contains("exactly one"));
    assert!(world.refused(&"a".repeat(TOKEN_MAX_BYTES + 1)).await.contains("too long"));
    for nothing in ["", "Basic YTpi", good().as_str()] {
        let problem = world.auth.authenticate(nothing).await.expect_err("no token");
        assert_eq!(problem.headers, [("www-authenticate", "Bearer realm=\"cml-cloud-manager\"".to_owned())]);
    }
    assert_eq!(world.source.fetches(), 0);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_most_once_a_minute() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    let new = sign("second", 1, &claims());
    for n in 0..5 {
        world.refused(&sign(&format!("made-up-{n}"), 1, &claims())).await;
    }
    assert_eq!(world.source.fetches(), 2);

    // The issuer rotates: the new key is found after the minute, and the old one is dropped.
    world.source.show(Some(jwks(&[("second", 1)])));
    world.clock.advance(SignedDuration::from_secs(59));
    world.refused(&new).await;
    assert_eq!(world.source.fetches(), 2);
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(world.bearer(&new).await.is_ok());
    assert_eq!(world.source.fetches(), 3);
    assert!(world.refused(&good()).await.contains("does not have"));
    assert_eq!(world.source.fetches(), 3);
}

#[tokio::test]
async fn a_key_that_is_new_right_after_the_keys_were_read_is_found_at_once() {
    let world = World::new();
    world.bearer(&good()).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    assert!(world.bearer(&sign("second", 1, &claims())).await.is_ok());
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_fetch() {
    let world = World::new();
    let token = good();
    let answers = futures::future::join_all((0..8).map(|_| world.bearer(&token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.source.fetches(), 1);
}

#[tokio::test]
async fn known_keys_serve_while_the_issuer_is_down() {
    let world = World::new();
    let lasting = sign("first", 0, &claims_with(&json!({"exp": NOW + 1_000_000})));
    world.bearer(&lasting).await.expect("good");
    for answer in [None, Some("<html>".to_owned()), Some("x".repeat(300_000))] {
        world.source.show(answer);
        world.clock.advance(SignedDuration::from_hours(2));
        assert!(world.bearer(&lasting).await.is_ok());
        world.refused(&sign("unknown", 0, &claims())).await;
    }
    assert_eq!(world.source.fetches(), 4);
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_within_the_hour() {
    let world = World::new();
    let lasting = sign("first", 0, &claims_with(&json!({"exp": NOW + 1_000_000})));
    world.bearer(&lasting).await.expect("good");
    world.source.show(Some(jwks(&[("second", 1)])));
    world.clock.advance(SignedDuration::from_hours(1));
    world.refused(&lasting).await;
}

#[tokio::test]
async fn without_any_key_nobody_is_called_a_forger() {
    let world = World::new();
    for answer in [None, Some(r#"{"keys": []}"#.to_owned()), Some("[]".to_owned())] {
        world.source.show(answer);
        world.clock.advance(SignedDuration::from_secs(60));
        assert_eq!(world.bearer(&good()).await.expect_err("no keys").status, 503);
    }
    assert_eq!(world.source.fetches(), 3);
}

#[tokio::test]
async fn keys_for_other_uses_are_passed_over() {
    let world = World::new();
    let mut set: Value = serde_json::from_str(&jwks(&[("first", 0), ("for-encryption", 1), ("ps", 1)])).expect("JSON");
    set["keys"][1]["use"] = "enc".into();
    set["keys"][2]["alg"] = "PS256".into();
    let keys = set["keys"].as_array_mut().expect("keys");
    keys.extend([json!({"kty": "oct", "kid": "secret", "k": "AAAA"}), json!({"kty": "EC", "kid": "ec"}), json!(7)]);
    world.source.show(Some(set.to_string()));
    assert!(world.bearer(&good()).await.is_ok());
    for kid in ["for-encryption", "ps", "secret"] {
        assert!(world.refused(&sign(kid, 1, &claims())).await.contains("does not have"), "{kid}");
    }
}
