//! Signing in by browser, as the browser sees it.

use super::log::Log;
use super::test_api::{Answer, TestApi};
use super::world::browser::{PUBLIC_URL, SESSION};
use domain::SignedDuration;
use serde_json::json;
use tracing::Level;

const SESSION_COOKIE: &str = "__Host-session";
const LOGIN_COOKIE: &str = "__Host-login";

/// The value that a cookie is set to.
fn value(answer: &Answer, name: &str) -> String {
    let set = answer.cookies.iter().find_map(|cookie| cookie.strip_prefix(&format!("{name}="))).unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// Signs in: the value of the session's cookie.
async fn sign_in(api: &TestApi) -> String {
    let begun = api.get("/api/auth/login?return_to=/workers?status=running").await;
    assert_eq!(begun.status, 302);
    let state = begun.headers["location"].split_once("state=").unwrap().1.to_owned();
    let back = api.get(&format!("/api/auth/callback?code=the-code-of-the-issuer&state={state}"));
    let back = back.cookie(LOGIN_COOKIE, &value(&begun, LOGIN_COOKIE)).await;
    assert_eq!(
        (back.status, back.headers["location"].as_str()),
        (302, &*format!("{PUBLIC_URL}/workers?status=running"))
    );
    value(&back, SESSION_COOKIE)
}

#[tokio::test]
async fn the_cookies_are_for_this_host_over_tls_and_no_script_reads_them() {
    let api = TestApi::new().await;
    let begun = api.get("/api/auth/login").await;
    let browser = value(&begun, LOGIN_COOKIE);
    assert_eq!(begun.cookies, [format!("__Host-login={browser}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure")]);
    let state = begun.headers["location"].split_once("state=").unwrap().1.to_owned();
    let back = api.get(&format!("/api/auth/callback?code=c&state={state}")).cookie(LOGIN_COOKIE, &browser).await;
    let session = value(&back, SESSION_COOKIE);
    assert_eq!(session.len(), 43);
    assert_eq!(
        back.cookies,
        [format!("__Host-session={session}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure")]
    );
    assert_eq!((back.body.as_str(), back.headers["cache-control"].as_str()), ("", "no-store"));
    let out = api.post("/api/auth/logout").cookie(SESSION_COOKIE, &session).header("origin", PUBLIC_URL).await;
    assert_eq!(out.cookies, ["__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"]);
}

#[tokio::test]
async fn a_session_works_is_refreshed_and_ends() {
    let api = TestApi::new().await;
    let cookie = sign_in(&api).await;
    let session = api.get("/api/auth/session").cookie(SESSION_COOKIE, &cookie).await;
    assert_eq!(
        session.json(),
        json!({
            "subject": "subject-of-manager", "username": "manager", "role": "manager",
            "created_at": "2026-03-02T09:00:00.000Z", "access_expires_at": "2026-03-02T09:05:00.000Z",
            "refresh_after": "2026-03-02T09:04:00.000Z", "ends_at": "2026-03-03T09:00:00.000Z",
        })
    );
    let workers = || api.get("/api/workers").cookie(SESSION_COOKIE, &cookie);
    assert_eq!(workers().await.status, 200);
    api.clock.advance(SignedDuration::from_mins(6));
    for call in [workers(), api.get("/api/auth/session").cookie(SESSION_COOKIE, &cookie)] {
        let answer = call.await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["type"], "urn:cml-cloud-manager:problem:session_refresh_needed");
        assert!(answer.cookies.is_empty());
    }
    let refresh = || api.post("/api/auth/refresh").cookie(SESSION_COOKIE, &cookie).header("origin", PUBLIC_URL);
    let refreshed = refresh().await;
    assert_eq!((refreshed.status, &refreshed.json()["access_expires_at"]), (200, &json!("2026-03-02T09:11:00.000Z")));
    assert_eq!(workers().await.status, 200);
    let out = api.post("/api/auth/logout").cookie(SESSION_COOKIE, &cookie).header("origin", PUBLIC_URL).await;
    let url = out.json()["logout_url"].as_str().unwrap().to_owned();
    assert!(url.ends_with(&format!("&post_logout_redirect_uri={PUBLIC_URL}/")), "{url}");
    assert!(api.issuer.secrets().iter().all(|secret| !url.contains(secret)), "no token goes to the browser: {url}");
    let over = refresh().await;
    assert_eq!((over.status, over.cookies.len()), (401, 1), "the browser forgets it");
    assert_eq!(workers().await.status, 401);
    assert_eq!(api.post("/api/auth/logout").await.json(), json!({"logout_url": null}));
}

#[tokio::test]
async fn a_change_with_a_cookie_needs_a_page_of_ours() {
    let api = TestApi::new().await;
    let before = api.items();
    for path in ["/api/auth/refresh", "/api/auth/logout", "/api/api-keys"] {
        for origin in [
            None,
            Some("null"),
            Some("https://evil.example"),
            Some("http://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"),
        ] {
            let mut call = api.post(path).cookie(SESSION_COOKIE, SESSION);
            if let Some(origin) = origin {
                call = call.header("origin", origin);
            }
            let answer = call.await;
            assert_eq!(answer.status, 403, "{path} from {origin:?}");
            assert_eq!(answer.json()["type"], "urn:cml-cloud-manager:problem:cross_origin");
        }
    }
    assert_eq!(api.items(), before);
    assert_eq!(api.get("/api/workers").cookie(SESSION_COOKIE, SESSION).await.status, 200, "reading needs none");
}

#[tokio::test]
async fn a_cookie_that_is_no_session_or_there_twice_is_nobodys() {
    let api = TestApi::new().await;
    for value in ["", "x", "ZXhhbXBsZS1zZXNzaW9uLXJlcGxhY2VkLWJ5LWNhbGxlcG"] {
        assert_eq!(api.get("/api/workers").cookie(SESSION_COOKIE, value).await.status, 401, "{value}");
    }
    let twice = api.get("/api/workers").cookie(SESSION_COOKIE, SESSION).cookie(SESSION_COOKIE, "x").await;
    assert_eq!(twice.status, 401);
    // The name that plain HTTP has is not taken where there is TLS.
    assert_eq!(api.get("/api/workers").cookie("session", SESSION).await.status, 401);
    // What a caller says goes before what a browser adds, and is not made up for by it.
    assert_eq!(api.get("/api/workers").cookie(SESSION_COOKIE, SESSION).bearer("x").await.status, 401);
}

#[tokio::test]
async fn a_sign_out_or_refresh_with_two_cookies_says_that_nothing_was_done() {
    let api = TestApi::new().await;
    let before = api.items();
    for path in ["/api/auth/logout", "/api/auth/refresh"] {
        let call = api.post(path).cookie(SESSION_COOKIE, SESSION).cookie(SESSION_COOKIE, "x");
        let answer = call.header("origin", PUBLIC_URL).await;
        assert_eq!((answer.status, answer.cookies.len()), (400, 0), "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("twice"), "{path}: {answer:?}");
    }
    assert_eq!(api.items(), before);
}

#[tokio::test]
async fn a_browser_is_led_to_the_console_when_its_sign_in_fails() {
    let api = TestApi::new().await;
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let answer = api.get("/api/auth/callback?state=x&code=y").header("accept", BROWSER).await;
    let location = format!("{PUBLIC_URL}/?sign_in_error=sign_in_failed");
    assert_eq!((answer.status, answer.headers["location"].as_str()), (302, location.as_str()));
    assert!(answer.cookies.is_empty());
    // A program is told what it was.
    let answer = api.get("/api/auth/callback?state=x&code=y").header("accept", "*/*").await;
    assert_eq!((answer.status, answer.headers.get("location")), (400, None));
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_finished_says_what_to_do() {
    let api = TestApi::new().await;
    for query in [
        "",
        "?state=x&code=y",
        "?error=access_denied&state=replaced-by-the-caller",
        "?state=replaced-by-the-caller&code=c",
    ] {
        let answer = api.get(&format!("/api/auth/callback{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["type"], "urn:cml-cloud-manager:problem:sign_in_failed");
        assert!(answer.json()["detail"].as_str().unwrap().contains("Sign in again"), "{answer:?}");
        assert!(answer.cookies.is_empty());
    }
    for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let answer = api.get("/api/auth/login").query("return_to", elsewhere).await;
        assert_eq!((answer.status, answer.fields()), (422, vec!["return_to".to_owned()]), "{elsewhere}");
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_costs_nobody_the_session() {
    let api = TestApi::new().await;
    api.clock.advance(SignedDuration::from_mins(4));
    api.issuer.go_down();
    let answer = api.post("/api/auth/refresh").cookie(SESSION_COOKIE, SESSION).header("origin", PUBLIC_URL).await;
    assert_eq!((answer.status, answer.cookies.len()), (503, 0));
    assert!(!answer.body.contains(super::world::INTERNAL));
    assert_eq!(api.get("/api/workers").cookie(SESSION_COOKIE, SESSION).await.status, 200);
}

#[tokio::test]
async fn no_log_shows_a_token_a_cookie_or_anything_of_a_sign_in_and_nor_does_the_table() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let api = TestApi::new().await;
    let cookie = sign_in(&api).await;
    let calls = |path: &str| api.post(path).cookie(SESSION_COOKIE, &cookie).header("origin", PUBLIC_URL);
    api.clock.advance(SignedDuration::from_mins(4));
    assert_eq!(calls("/api/auth/refresh").await.status, 200);
    let items = format!("{:?}", api.items());
    assert_eq!(
        api.get("/api/workers").cookie(SESSION_COOKIE, &cookie).header("origin", "https://evil.example").await.status,
        200
    );
    assert_eq!(api.post("/api/auth/logout").cookie(SESSION_COOKIE, &cookie).await.status, 403);
    // Failures say more than successes.
    assert_eq!(api.get("/api/auth/callback?state=the-state-of-a-thief&code=the-code-of-a-thief").await.status, 400);
    api.clock.advance(SignedDuration::from_mins(5));
    api.issuer.go_down();
    assert_eq!(calls("/api/auth/refresh").await.status, 503);
    assert_eq!(calls("/api/auth/logout").await.status, 200);
    drop(guard);
    let log = log.text();
    assert!(log.contains("signed in") && log.contains("signed out"), "the log was not caught: {log}");
    let mut secrets = api.issuer.secrets();
    assert!(secrets.len() >= 8, "{secrets:?}");
    secrets.extend([cookie, "the-state-of-a-thief".into(), "the-code-of-a-thief".into()]);
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "the log shows {secret}");
        assert!(!items.contains(secret.as_str()), "the table shows {secret}");
    }
}
