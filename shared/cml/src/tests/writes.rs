//! What changes something is sent once.

use std::sync::atomic::{AtomicUsize, Ordering};

use app::ports::{CmlErrorKind, CmlLabs, CmlLicensing, LabChange};

use super::labs::{LAB, lab};
use super::*;

type Says = fn() -> Answer;

const START: &str = "PUT /api/v0/labs/b7e1c0aa-6d52-4f0c-8a3e-0d5f3c1e9a10/start";

#[tokio::test]
async fn a_write_told_401_is_sent_once_more_after_signing_in_again() {
    let told = AtomicUsize::new(0);
    let controller = Controller::start(move |_| match told.fetch_add(1, Ordering::SeqCst) {
        0 => refusal(401, "No authorization token provided."),
        _ => no_content(),
    })
    .await;
    controller.client.start_lab(controller.access(), LAB).await.unwrap();
    assert_eq!(controller.lines(), [START, START]);
    assert_eq!(controller.server.count(SIGN_IN), 2);
}

#[tokio::test]
async fn a_write_told_401_twice_is_denied_and_was_not_carried_out() {
    let controller = Controller::start(|_| refusal(401, "No authorization token provided.")).await;
    let error = controller.client.start_lab(controller.access(), LAB).await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown()), (CmlErrorKind::Denied, false));
    assert_eq!(controller.lines(), [START, START]);
}

#[tokio::test]
async fn the_same_body_is_sent_again_after_a_401() {
    let told = AtomicUsize::new(0);
    let controller = Controller::start(move |_| match told.fetch_add(1, Ordering::SeqCst) {
        0 => refusal(401, "No authorization token provided."),
        _ => Answer::json(&json!({"id": LAB, "warnings": null})),
    })
    .await;
    controller.client.import_lab(controller.access(), "lab: {}", None).await.unwrap();
    assert_eq!(controller.lines(), ["POST /api/v0/import lab: {}", "POST /api/v0/import lab: {}"]);
}

#[tokio::test]
async fn a_write_whose_connection_breaks_is_not_repeated() {
    let controller = Controller::start(|request| match request.line.as_str() {
        "GET /api/v0/labs/b7e1c0aa-6d52-4f0c-8a3e-0d5f3c1e9a10" => Answer::json(&lab(LAB)),
        _ => Answer::Cut,
    })
    .await;
    let (client, access) = (&controller.client, controller.access());
    // Over a new connection, and over one that was kept.
    for _ in 0..2 {
        let error = client.import_lab(access, "lab: {}", None).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (CmlErrorKind::Unreachable, "POST /import"));
        assert!(error.outcome_unknown(), "{error}");
        client.lab(access, LAB).await.unwrap();
    }
    assert_eq!(controller.server.count("POST /api/v0/import"), 2);
}

#[tokio::test]
async fn a_write_that_gets_no_answer_in_time_or_a_server_error_is_not_repeated() {
    let impatient = Timeouts { change: Duration::from_millis(300), ..Timeouts::default() };
    let answers: [(Says, CmlErrorKind, Timeouts); 5] = [
        (|| Answer::Stalled, CmlErrorKind::Unreachable, impatient),
        (|| Answer::Whole(500, "{}".into()), CmlErrorKind::NotReady, Timeouts::default()),
        (|| Answer::Whole(502, "<html>502 Bad Gateway</html>".into()), CmlErrorKind::NotReady, Timeouts::default()),
        (|| Answer::Whole(504, "<html>".into()), CmlErrorKind::NotReady, Timeouts::default()),
        (|| Answer::Whole(200, "<html>".into()), CmlErrorKind::Malformed, Timeouts::default()),
    ];
    for (answer, kind, timeouts) in answers {
        let mut controller = Controller::start(move |_| answer()).await;
        controller.client = CmlClient::with_timeouts(Arc::new(Fixed), timeouts);
        let new = LabChange { title: Some("t"), ..LabChange::default() };
        let error = controller.client.create_lab(controller.access(), new).await.unwrap_err();
        assert_eq!((error.kind, error.outcome_unknown()), (kind, true), "{error}");
        assert_eq!(controller.lines().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_write_refused_or_never_sent_was_not_carried_out() {
    for code in [400, 403, 404, 409] {
        let controller = Controller::start(move |_| refusal(code, "no")).await;
        let error = controller.client.wipe_lab(controller.access(), LAB).await.unwrap_err();
        assert_eq!((error.status, error.message.as_str()), (Some(code), "no"));
        assert!(!error.outcome_unknown(), "{error}");
        assert_eq!(controller.lines().len(), 1, "{error}");
    }
    let Controller { server, client, target, credentials } = Controller::start(|_| no_content()).await;
    let access = CmlAccess { target: &target, credentials: &credentials };
    client.stop_lab(access, LAB).await.unwrap();
    drop(server);
    // The token is kept, so it is the write that finds nobody: on the broken connection, then on none.
    for _ in 0..2 {
        let error = client.stop_lab(access, LAB).await.unwrap_err();
        assert_eq!(error.kind, CmlErrorKind::Unreachable);
    }
    let error = client.stop_lab(access, LAB).await.unwrap_err();
    assert_eq!((error.operation, error.outcome_unknown()), ("connect", false), "{error}");
}

#[tokio::test]
async fn a_licence_token_is_in_no_error() {
    let controller = Controller::start(|_| Answer::Whole(502, "<html>".into())).await;
    let error = controller.client.register(controller.access(), "TheLicenceToken", false).await.unwrap_err();
    assert!(!format!("{error:?}").contains("TheLicenceToken"));
}

#[tokio::test]
async fn a_write_needs_a_pinned_certificate() {
    let mut controller = Controller::start(|_| no_content()).await;
    controller.target.certificate_sha256 = None;
    let error = controller.client.start_lab(controller.access(), LAB).await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown()), (CmlErrorKind::Denied, false));
    assert_eq!(controller.server.requests(), []);
}

#[tokio::test]
async fn a_target_is_spoken_to_where_its_route_leads() {
    let controller = Controller::start(|_| no_content()).await;
    let (real, public) = (controller.target.endpoint.clone(), "https://198.51.100.7");
    let client = client().routed(move |target| {
        assert_eq!(target.endpoint, public);
        Ok(CmlTarget { endpoint: real.clone(), ..target.clone() })
    });
    let target = CmlTarget { endpoint: public.into(), ..controller.target.clone() };
    client.start_lab(CmlAccess { target: &target, credentials: &controller.credentials }, LAB).await.unwrap();
    assert_eq!(controller.lines(), [START]);
}
