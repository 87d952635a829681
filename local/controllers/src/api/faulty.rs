//! Answers that go wrong on demand. See [`crate::ControllerFault`].

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream;

use super::{Machined, bad_gateway, no_such_path};
use crate::failure::Failure;
use crate::faults::ControllerFault;

/// Marks an answer that never leaves: its connection is cut instead.
#[derive(Clone)]
pub(crate) struct Lost;

/// A part of an endless body.
static BLANKS: [u8; 16_384] = [b' '; 16_384];

/// Answers as the fault wants that befalls the request, if any.
pub(super) async fn go_wrong(State(machine): Machined, request: Request, next: Next) -> Response {
    let fault = machine.with_faults(|faults| faults.of_request(request.method(), request.uri().path()));
    match fault {
        Some(ControllerFault::BadGateway) => bad_gateway(),
        Some(ControllerFault::Refuses { status, description }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            Failure::new(status, description).into_response()
        }
        // Who signs in has no token yet.
        Some(ControllerFault::Unauthorized) if !request.uri().path().ends_with("/authenticate") => {
            let version = machine.with(|turn| Ok(turn.controller().version));
            version.map(Failure::unauthorized).unwrap_or_else(|failure| failure).into_response()
        }
        Some(ControllerFault::Absent) => no_such_path().await.into_response(),
        Some(ControllerFault::Slow(milliseconds)) => {
            dawdle(Duration::from_millis(milliseconds)).await;
            next.run(request).await
        }
        Some(ControllerFault::AnswerLost) => {
            let mut answer = next.run(request).await;
            answer.extensions_mut().insert(Lost);
            answer
        }
        Some(ControllerFault::BrokenJson) => half(next.run(request).await).await,
        Some(ControllerFault::EndlessBody) => endless(next.run(request).await),
        // The others are no matter of a single request.
        _ => next.run(request).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "being slow is what was asked for")]
async fn dawdle(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Of a status that may have a body.
fn with_body(mut answer: Response) -> Response {
    if answer.status() == StatusCode::NO_CONTENT {
        *answer.status_mut() = StatusCode::OK;
    }
    answer
}

/// The first half of the body, as if it were all.
async fn half(answer: Response) -> Response {
    let (mut parts, body) = with_body(answer).into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    // Half of one character, or of nothing, must not read as JSON either.
    let kept = if whole.len() < 2 { Bytes::from_static(b"{") } else { whole.slice(..whole.len() / 2) };
    Response::from_parts(parts, Body::from(kept))
}

fn endless(answer: Response) -> Response {
    let (mut parts, _) = with_body(answer).into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.entry(CONTENT_TYPE).or_insert(axum::http::HeaderValue::from_static("application/json"));
    let blanks = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from_static(&BLANKS)));
    Response::from_parts(parts, Body::from_stream(blanks))
}
