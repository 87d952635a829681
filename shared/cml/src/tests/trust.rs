//! Who is trusted with what: certificates, credentials, tokens, and limits on what is read.

use app::ports::{Cml, CmlErrorKind};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[tokio::test]
async fn the_first_contact_tells_the_certificate_and_the_pin_then_holds() {
    let identity = Identity::new();
    let pin = identity.sha256();
    let server = Server::start(identity, well).await;
    let client = client();
    let contact = client.system_information(&target(&server, None)).await.unwrap();
    assert_eq!(contact.certificate_sha256, pin);
    assert_eq!(contact.information.version, "2.9.0+build.3");
    let pinned = target(&server, Some(pin.to_uppercase()));
    assert_eq!(client.system_information(&pinned).await.unwrap(), contact);
    assert!(server.requests().iter().all(|request| request.token.is_none()));
}

#[tokio::test]
async fn another_certificate_is_refused_and_hears_no_credentials() {
    let server = Server::start(Identity::new(), well).await;
    let pinned = target(&server, Some(Identity::new().sha256()));
    let client = client();
    let error = client.read(&pinned, &credentials(), &information(), None).await.unwrap_err();
    assert_eq!((error.kind, error.retryable()), (CmlErrorKind::CertificateChanged, false));
    let error = client.system_information(&pinned).await.unwrap_err();
    assert_eq!(error.kind, CmlErrorKind::CertificateChanged);
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn a_copied_certificate_without_its_key_is_worth_nothing() {
    let real = Identity::new();
    let pin = real.sha256();
    let server = Server::start(Identity::forged(&real.certificate), well).await;
    let error = client().read(&target(&server, Some(pin)), &credentials(), &information(), None).await.unwrap_err();
    assert_eq!(error.kind, CmlErrorKind::Unreachable);
    let error = client().system_information(&target(&server, None)).await.unwrap_err();
    assert_eq!(error.kind, CmlErrorKind::Unreachable);
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn credentials_are_not_sent_without_a_pin() {
    let server = Server::start(Identity::new(), well).await;
    let error = client().read(&target(&server, None), &credentials(), &information(), None).await.unwrap_err();
    assert_eq!(error.kind, CmlErrorKind::Denied);
    assert_eq!(server.requests(), []);
}

/// The target of a server with that handler, already pinned.
async fn pinned(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Server, CmlTarget) {
    let identity = Identity::new();
    let pin = identity.sha256();
    let server = Server::start(identity, handler).await;
    let target = target(&server, Some(pin));
    (server, target)
}

#[tokio::test]
async fn a_token_is_used_until_its_last_minute_and_only_for_its_own_credentials() {
    let lives = [3_600, 3_600, 59];
    let signed_in = AtomicUsize::new(0);
    let (server, target) = pinned(move |request| match request.line.as_str() {
        SIGN_IN => Answer::json(&json!(token(lives[signed_in.fetch_add(1, Ordering::SeqCst).min(2)]))),
        _ => readings::v2_9(request),
    })
    .await;
    let client = client();
    let mut seen = Vec::new();
    let changed: CmlLogins = CmlCredentials { password: "another".into(), ..credentials().current }.into();
    let third: CmlLogins = CmlCredentials { password: "a third".into(), ..credentials().current }.into();
    for credentials in [credentials(), credentials(), changed.clone(), changed, third.clone(), third] {
        let reading = client.read(&target, &credentials, &information(), None).await.unwrap();
        assert_eq!(reading.our_user_id.as_deref(), Some("5d4c3b2a-0000-4000-8000-0000000000ff"));
        seen.push(server.count(SIGN_IN));
    }
    // The third token has less than a minute to live: it serves one reading and is not kept.
    assert_eq!(seen, [1, 1, 2, 2, 3, 4]);
    let sign_in = server.requests().into_iter().find(|request| request.line == SIGN_IN).unwrap();
    assert_eq!(sign_in.body, r#"{"password":"correct horse","username":"fleet-reader"}"#);
}

#[tokio::test]
async fn a_token_that_cml_disowns_is_replaced_once_for_all_calls() {
    let signed_in = AtomicUsize::new(0);
    let old = token(3_000);
    let (server, target) = pinned({
        let old = old.clone();
        move |request| match request.line.as_str() {
            SIGN_IN if signed_in.fetch_add(1, Ordering::SeqCst) == 0 => Answer::json(&json!(old)),
            SIGN_IN => Answer::json(&json!(token(4_000))),
            _ if request.token.as_deref() == Some(&old) => {
                Answer::Whole(401, r#"{"code": 401, "description": "No authorization token provided."}"#.into())
            }
            _ => readings::v2_9(request),
        }
    })
    .await;
    let reading = client().read(&target, &credentials(), &information(), None).await.unwrap();
    assert_eq!(reading.errors, []);
    assert_eq!(server.count(SIGN_IN), 2);
    assert_eq!(server.count("GET /api/v0/system_stats"), 2);
}

#[tokio::test]
async fn a_controller_that_disowns_every_token_is_asked_twice_and_no_more() {
    let (server, target) = pinned(|request| match request.line.as_str() {
        SIGN_IN => Answer::json(&json!(token(3_600))),
        _ => Answer::Whole(401, "{}".into()),
    })
    .await;
    let error = client().read(&target, &credentials(), &information(), None).await.unwrap_err();
    assert_eq!((error.kind, error.status), (CmlErrorKind::Denied, Some(401)));
    assert_eq!(server.count(SIGN_IN), 2);
    assert_eq!(server.count("GET /api/v0/licensing"), 2);
}

#[tokio::test]
async fn wrong_credentials_are_denied_in_cml_s_words_and_not_repeated() {
    let (server, target) =
        pinned(|_| Answer::Whole(403, r#"{"code": 403, "description": "Authentication failed!"}"#.into())).await;
    let error = client().read(&target, &credentials(), &information(), None).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (CmlErrorKind::Denied, "Authentication failed!"));
    assert!(!format!("{error:?}").contains("horse"));
    assert_eq!(server.requests().len(), 1);
}

/// Answers as CML does whose user has that password, and which refuses all others.
fn with_password(password: &'static str) -> impl Fn(&Request) -> Answer {
    move |request| match request.line.as_str() {
        SIGN_IN if !request.body.contains(&format!("\"{password}\"")) => {
            Answer::Whole(403, r#"{"code": 403, "description": "Authentication failed!"}"#.into())
        }
        SIGN_IN => Answer::json(&json!(token(86_400))),
        _ => readings::v2_9(request),
    }
}

fn rotated() -> CmlLogins {
    let previous = credentials().current;
    CmlLogins { current: CmlCredentials { password: "new".into(), ..previous.clone() }, previous: Some(previous) }
}

#[tokio::test]
async fn a_password_that_is_new_here_and_not_yet_in_cml_costs_no_reading_and_no_attempt_each_time() {
    let (server, target) = pinned(with_password("correct horse")).await;
    let client = client();
    for _ in 0..3 {
        let reading = client.read(&target, &rotated(), &information(), None).await.unwrap();
        assert_eq!(reading.errors, []);
    }
    // The new one refused, then the old one; its token serves the others.
    assert_eq!(server.count(SIGN_IN), 2);
}

#[tokio::test]
async fn once_it_is_new_in_cml_too_the_old_one_is_never_sent_again() {
    let (server, target) = pinned(with_password("new")).await;
    let reading = client().read(&target, &rotated(), &information(), None).await.unwrap();
    assert_eq!(reading.errors, []);
    assert_eq!(server.count(SIGN_IN), 1);
    assert!(server.requests().iter().all(|request| !request.body.contains("correct horse")));
}

#[tokio::test]
async fn credentials_of_which_both_are_refused_are_denied_in_cml_s_words() {
    let (server, target) = pinned(with_password("a third")).await;
    let error = client().read(&target, &rotated(), &information(), None).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (CmlErrorKind::Denied, "Authentication failed!"));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_sign_in_that_gives_no_token_is_malformed() {
    for body in ["{}", "\"\"", "\"a\\nb\"", "<html>", "[\"x\"]"] {
        let (_server, target) = pinned(move |_| Answer::Whole(200, body.into())).await;
        let error = client().read(&target, &credentials(), &information(), None).await.unwrap_err();
        assert_eq!(error.kind, CmlErrorKind::Malformed, "{body}");
    }
}

#[tokio::test]
async fn a_booting_controller_is_not_ready() {
    let (_server, target) = pinned(|_| Answer::Whole(502, "<html>502 Bad Gateway</html>".into())).await;
    let error = client().system_information(&target).await.unwrap_err();
    assert_eq!(error.to_string(), "CML GET /system_information: its web server answers 502 for it");
    assert_eq!((error.kind, error.retryable()), (CmlErrorKind::NotReady, true));
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_a_stalled_one_is_not_waited_for() {
    let (_server, target) = pinned(|_| Answer::Endless).await;
    let error = client().system_information(&target).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (CmlErrorKind::Malformed, "its answer is larger than 1048576 bytes")
    );
    let (_server, target) = pinned(|_| Answer::Stalled).await;
    let error = hasty_client().system_information(&target).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (CmlErrorKind::Unreachable, "it did not answer in time"));
}

#[tokio::test]
async fn nothing_listening_is_unreachable() {
    let (server, target) = pinned(well).await;
    drop(server);
    let error = hasty_client().system_information(&target).await.unwrap_err();
    assert_eq!(error.kind, CmlErrorKind::Unreachable);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, _) = pinned(well).await;
    let to = format!("{}/api/v0/system_information", elsewhere.endpoint);
    let (_server, target) = pinned(move |_| Answer::Redirect(to.clone())).await;
    let error = client().system_information(&target).await.unwrap_err();
    assert_eq!((error.kind, error.status), (CmlErrorKind::Malformed, Some(302)));
    assert_eq!(elsewhere.requests(), []);
}
