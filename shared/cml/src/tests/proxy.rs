//! Calls passed through.

use std::sync::atomic::{AtomicUsize, Ordering};

use app::ports::{CmlErrorKind, CmlProxy, ProxyAnswer, ProxyMethod, ProxyRequest};

use super::*;

fn get(path_and_query: &str) -> ProxyRequest<'_> {
    ProxyRequest { method: ProxyMethod::Get, path_and_query, content_type: None, body: b"" }
}

#[tokio::test]
async fn a_call_is_passed_through_with_our_token_and_the_answer_as_it_is() {
    let controller =
        Controller::start(|_| Answer::Typed("text/plain; charset=utf-8", "\u{fffd} as it is".into())).await;
    let request = ProxyRequest {
        method: ProxyMethod::Patch,
        path_and_query: "/labs/l-1/nodes?x=%20y",
        content_type: Some("application/x-own"),
        body: b"{not json",
    };
    let answer = controller.client.forward(controller.access(), request).await.unwrap();
    let expected = ProxyAnswer {
        status: 200,
        content_type: Some("text/plain; charset=utf-8".into()),
        body: "\u{fffd} as it is".into(),
    };
    assert_eq!(answer, expected);
    let asked = controller.asked();
    assert_eq!(controller.lines(), ["PATCH /api/v0/labs/l-1/nodes?x=%20y {not json"]);
    assert_eq!(asked[0].token.as_deref(), Some(token(3_600).as_str()));
    assert_eq!(asked[0].content_type.as_deref(), Some("application/x-own"));
    let mut headers = asked[0].headers.clone();
    headers.sort_unstable();
    assert_eq!(headers, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
}

#[tokio::test]
async fn every_method_is_passed_through() {
    let controller = Controller::start(|_| no_content()).await;
    for method in ProxyMethod::ALL {
        let answer =
            controller.client.forward(controller.access(), ProxyRequest { method, ..get("/labs") }).await.unwrap();
        assert_eq!(answer, ProxyAnswer { status: 204, content_type: None, body: vec![] });
        assert_eq!(ProxyMethod::from_name(method.name()), Some(method));
    }
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    assert_eq!(controller.lines(), methods.map(|method| format!("{method} /api/v0/labs")));
}

#[tokio::test]
async fn an_error_of_cml_s_is_an_answer() {
    for (code, body) in [
        (400, r#"{"code":400,"description":"Bad request"}"#),
        (403, "{}"),
        (404, "not even JSON"),
        (500, ""),
        (502, "<html>502 Bad Gateway</html>"),
    ] {
        let controller = Controller::start(move |_| Answer::Whole(code, body.into())).await;
        let answer = controller.client.forward(controller.access(), get("/labs")).await.unwrap();
        assert_eq!(answer, ProxyAnswer { status: code, content_type: None, body: body.into() });
        assert_eq!(controller.lines().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn after_a_401_it_is_sent_once_more_under_a_new_token() {
    let told = AtomicUsize::new(0);
    let controller = Controller::start(move |_| match told.fetch_add(1, Ordering::SeqCst) {
        0 => refusal(401, "No authorization token provided."),
        _ => no_content(),
    })
    .await;
    let answer = controller.client.forward(controller.access(), get("/labs")).await.unwrap();
    assert_eq!((answer.status, controller.server.count(SIGN_IN)), (204, 2));
    let controller = Controller::start(|_| refusal(401, "no")).await;
    let answer = controller.client.forward(controller.access(), get("/labs")).await.unwrap();
    assert_eq!((answer.status, controller.lines().len()), (401, 2));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_endless_answer_is_cut() {
    let elsewhere = Controller::start(|_| no_content()).await;
    let to = format!("{}/api/v0/labs", elsewhere.server.endpoint);
    let controller = Controller::start(move |_| Answer::Redirect(to.clone())).await;
    let error = controller.client.forward(controller.access(), get("/labs")).await.unwrap_err();
    assert_eq!((error.kind, error.status), (CmlErrorKind::Malformed, Some(302)));
    assert_eq!(elsewhere.server.requests(), []);
    let controller = Controller::start(|_| Answer::Endless).await;
    let error = controller.client.forward(controller.access(), get("/labs")).await.unwrap_err();
    assert_eq!(error.to_string(), "CML GET (passed through): its answer is larger than 4194304 bytes");
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_repeated() {
    let controller = Controller::start(|_| Answer::Cut).await;
    let post = ProxyRequest { method: ProxyMethod::Post, ..get("/labs") };
    let error = controller.client.forward(controller.access(), post).await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown()), (CmlErrorKind::Unreachable, true));
    assert_eq!(controller.lines().len(), 1);
}

#[tokio::test]
async fn an_unclear_path_or_content_type_is_refused_before_anything_is_sent() {
    let controller = Controller::start(|_| no_content()).await;
    for path in ["/../x", "/labs/%2e%2e/users", "/labs%2Fx", "//elsewhere.example", "/labs\r\nx: y"] {
        let error = controller.client.forward(controller.access(), get(path)).await.unwrap_err();
        assert_eq!(error.kind, CmlErrorKind::Refused, "{path}");
    }
    let request = ProxyRequest { content_type: Some("text/x\r\nx: y"), ..get("/labs") };
    let error = controller.client.forward(controller.access(), request).await.unwrap_err();
    assert_eq!(error.kind, CmlErrorKind::Refused);
    assert_eq!(controller.server.requests(), []);
}
