mod sessions;

use app::testing::{CountingRandom, ManualClock};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::SignedDuration;
use http::Request;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::users::PASSWORD;
use super::*;

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-of-pkce";
const REDIRECT: &str = "http://127.0.0.1:9999/callback";

struct Bench {
    issuer: Issuer,
    machine: Arc<ManualClock>,
}

fn bench() -> Bench {
    let machine = Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()));
    let documents = Documents::in_memory().unwrap();
    let random = Arc::new(CountingRandom::default());
    Bench { issuer: Issuer::open("http://127.0.0.1:8000", &documents, machine.clone(), random).unwrap(), machine }
}

impl Bench {
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (Response, String) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.call(request.body(Body::from(body)).unwrap()).await
    }

    async fn call(&self, request: Request<Body>) -> (Response, String) {
        let response = self.issuer.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, Body::empty()), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn code(&self) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()));
        let (response, _) = self
            .post(
                "/authorize",
                &[
                    ("client_id", CLIENT_ID),
                    ("redirect_uri", REDIRECT),
                    ("response_type", "code"),
                    ("code_challenge", &challenge),
                    ("code_challenge_method", "S256"),
                    ("state", "s t"),
                    ("nonce", "n"),
                    ("username", "manager"),
                    ("password", PASSWORD),
                ],
            )
            .await;
        let location = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
        let query: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
        assert_eq!(query["state"], "s t");
        query["code"].clone()
    }

    async fn redeem(&self, code: &str, verifier: &str) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ];
        let (response, body) = self.post("/token", &form).await;
        (response.status(), serde_json::from_str(&body).unwrap())
    }

    async fn refresh(&self, token: &Value) -> (StatusCode, Value) {
        let token = token.as_str().unwrap();
        let form = [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token)];
        let (response, body) = self.post("/token", &form).await;
        (response.status(), serde_json::from_str(&body).unwrap())
    }
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_password_gets_a_token_like_keycloaks_that_userinfo_takes() {
    let bench = bench();
    let form = [("grant_type", "password"), ("client_id", CLIENT_ID), ("username", "admin"), ("password", PASSWORD)];
    let (response, body) = bench.post("/token", &form).await;
    assert_eq!(response.status(), 200);
    let tokens: Value = serde_json::from_str(&body).unwrap();
    let access = tokens["access_token"].as_str().unwrap();
    let read = claims(access);
    assert_eq!(read["iss"], "http://127.0.0.1:8000/dev/oidc");
    assert_eq!((&read["aud"], &read["azp"], &read["typ"]), (&json!(CLIENT_ID), &json!(CLIENT_ID), &json!("Bearer")));
    assert_eq!((&read["preferred_username"], &read["realm_access"]["roles"]), (&json!("admin"), &json!(["admin"])));
    assert!(read["exp"].as_i64().unwrap() - read["iat"].as_i64().unwrap() >= 3600);
    let userinfo = |token: &str| {
        Request::get("/userinfo").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
    };
    assert_eq!(bench.call(userinfo(access)).await.0.status(), 200);
    assert_eq!(bench.call(userinfo(tokens["id_token"].as_str().unwrap())).await.0.status(), 401);
    bench.machine.advance(SignedDuration::from_hours(3));
    assert_eq!(bench.call(userinfo(access)).await.0.status(), 401);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(bench.post("/token", &form).await.0.status(), 200);
}

#[tokio::test]
async fn a_code_is_good_once_for_a_minute_and_with_its_verifier_only() {
    let bench = bench();
    let code = bench.code().await;
    let (status, tokens) = bench.redeem(&code, VERIFIER).await;
    assert_eq!(status, 200);
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["nonce"], "n");
    for (code, verifier, wait) in [
        (code, VERIFIER, 0),
        (bench.code().await, "another-verifier-that-is-long-enough-to-be-one", 0),
        (bench.code().await, VERIFIER, 61),
    ] {
        bench.machine.advance(SignedDuration::from_secs(wait));
        let (status, answer) = bench.redeem(&code, verifier).await;
        assert_eq!((status.as_u16(), &answer["error"]), (400, &json!("invalid_grant")));
    }
}

#[tokio::test]
async fn nobody_is_sent_off_this_machine_and_pkce_is_required() {
    let bench = bench();
    for redirect in
        ["https://evil.example/", "http://localhost.evil.example/", "http://127.0.0.1@evil.example/", "javascript:0"]
    {
        let form = [("client_id", CLIENT_ID), ("redirect_uri", redirect), ("response_type", "code")];
        let (response, _) = bench.post("/authorize", &form).await;
        assert_eq!(response.status(), 400, "{redirect}");
        assert!(response.headers().get("location").is_none());
    }
    let form =
        [("client_id", CLIENT_ID), ("redirect_uri", REDIRECT), ("response_type", "code"), ("code_challenge", "x")];
    let (response, _) = bench.post("/authorize", &form).await;
    assert!(response.headers()["location"].to_str().unwrap().contains("error=invalid_request"));
}

#[tokio::test]
async fn the_form_escapes_what_it_is_given_and_a_wrong_password_shows_it_again() {
    let bench = bench();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("code_challenge", "x"),
            ("code_challenge_method", "S256"),
            ("state", "\"><script>alert(1)</script>"),
        ])
        .finish();
    let (_, page) = bench.call(Request::get(format!("/authorize?{query}")).body(Body::empty()).unwrap()).await;
    assert!(page.contains("name=\"username\"") && !page.contains("<script>"));
    let form: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    form.extend([("username", "admin"), ("password", "wrong")]);
    let (response, page) = bench.post("/authorize", &form).await;
    assert_eq!(response.status(), 401);
    assert!(page.contains("wrong.") && !page.contains("value=\"wrong\""));
}

#[tokio::test]
async fn the_key_survives_a_restart_and_errors_are_those_of_rfc_6749() {
    let documents = Documents::in_memory().unwrap();
    let clock = Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse().unwrap()));
    let open =
        || Issuer::open("http://127.0.0.1:1", &documents, clock.clone(), Arc::new(CountingRandom::default())).unwrap();
    let token = open().access_token("user").unwrap();
    assert_eq!(open().verify(&token, Kind::Access).unwrap().name, "user");
    let bench = bench();
    assert!(bench.issuer.verify(&token, Kind::Access).is_none());
    for (form, error) in [
        (vec![("grant_type", "password")], "invalid_request"),
        (vec![("client_id", "other"), ("grant_type", "password")], "invalid_client"),
        (vec![("client_id", CLIENT_ID), ("grant_type", "client_credentials")], "unsupported_grant_type"),
        (
            vec![("client_id", CLIENT_ID), ("grant_type", "password"), ("username", "admin"), ("password", "x")],
            "invalid_grant",
        ),
    ] {
        let (response, body) = bench.post("/token", &form).await;
        assert!(response.status().is_client_error());
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["error"], error);
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_used_again_it_ends_its_family_and_no_other() {
    let bench = bench();
    let (_, mine) = bench.redeem(&bench.code().await, VERIFIER).await;
    let (_, other) = bench.redeem(&bench.code().await, VERIFIER).await;
    let (status, next) = bench.refresh(&mine["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_ne!(next["refresh_token"], mine["refresh_token"]);
    for token in [&mine["refresh_token"], &next["refresh_token"]] {
        let (status, answer) = bench.refresh(token).await;
        assert_eq!((status.as_u16(), &answer["error"]), (400, &json!("invalid_grant")));
    }
    assert_eq!(bench.refresh(&other["refresh_token"]).await.0, 200);
}

#[tokio::test]
async fn a_revoked_refresh_token_and_those_of_a_sign_out_are_good_for_nothing() {
    let bench = bench();
    let (_, tokens) = bench.redeem(&bench.code().await, VERIFIER).await;
    let token = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(bench.post("/revoke", &[("token", token)]).await.0.status(), 401);
    for _ in 0..2 {
        let form = [("client_id", CLIENT_ID), ("token", token), ("token_type_hint", "refresh_token")];
        assert_eq!(bench.post("/revoke", &form).await.0.status(), 200);
    }
    assert_eq!(bench.refresh(&tokens["refresh_token"]).await.0, 400);
    let (_, tokens) = bench.redeem(&bench.code().await, VERIFIER).await;
    let form = [("client_id", CLIENT_ID), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    assert_eq!(bench.post("/logout", &form).await.0.status(), 204);
    assert_eq!(bench.refresh(&tokens["refresh_token"]).await.0, 400);
    let (_, tokens) = bench.redeem(&bench.code().await, VERIFIER).await;
    let path = format!("/logout?id_token_hint={}", tokens["id_token"].as_str().unwrap());
    assert_eq!(bench.call(Request::get(path).body(Body::empty()).unwrap()).await.0.status(), 200);
    assert_eq!(bench.refresh(&tokens["refresh_token"]).await.0, 400);
}
