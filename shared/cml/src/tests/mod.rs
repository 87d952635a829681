//! The client against controllers on the loopback.

mod controller;
mod labs;
mod licensing;
mod listing;
mod nodes;
mod odd;
mod proxy;
mod readings;
mod server;
mod trust;
mod users;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use app::ports::{Clock, CmlAccess, CmlCredentials, CmlLogins, CmlTarget, SystemInformation};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{Timestamp, WorkerId};
use serde_json::json;

use crate::{CmlClient, Timeouts};
use server::{Answer, Identity, Request, Server};

/// When every test happens.
const NOW: i64 = 1_770_000_000;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

fn client() -> CmlClient {
    CmlClient::new(Arc::new(Fixed))
}

/// Gives up at once: for answers that never end well.
fn hasty_client() -> CmlClient {
    let timeouts = Timeouts {
        connect: Duration::from_secs(3),
        total: Duration::from_millis(400),
        change: Duration::from_millis(400),
    };
    CmlClient::with_timeouts(Arc::new(Fixed), timeouts)
}

fn target(server: &Server, pin: Option<String>) -> CmlTarget {
    CmlTarget {
        worker: WorkerId::new(Timestamp::from_second(1).unwrap(), 7),
        endpoint: server.endpoint.clone(),
        certificate_sha256: pin,
    }
}

fn credentials() -> CmlLogins {
    CmlCredentials { username: "fleet-reader".into(), password: "correct horse".into() }.into()
}

fn information() -> SystemInformation {
    SystemInformation { version: "2.9.0".into(), ready: true }
}

/// A token that lives for `seconds` from now.
fn token(seconds: i64) -> String {
    let claims = json!({"sub": "5d4c3b2a-0000-4000-8000-0000000000ff", "exp": NOW + seconds}).to_string();
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

const SIGN_IN: &str = "POST /api/v0/authenticate";

/// A controller of the 2.9 shape that signs everyone in for an hour.
fn well(request: &Request) -> Answer {
    if request.line == SIGN_IN { Answer::json(&json!(token(3_600))) } else { readings::v2_9(request) }
}

/// What CML answers when there is nothing to say.
fn no_content() -> Answer {
    Answer::Whole(204, String::new())
}

/// An error of CML's.
fn refusal(code: u16, description: &str) -> Answer {
    Answer::Whole(code, json!({ "code": code, "description": description }).to_string())
}

/// A controller that signs everyone in, and a client that knows it.
struct Controller {
    server: Server,
    client: CmlClient,
    target: CmlTarget,
    credentials: CmlLogins,
}

impl Controller {
    /// Answers everything but the sign-in by `handler`.
    async fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let identity = Identity::new();
        let pin = identity.sha256();
        let server = Server::start(identity, move |request| match request.line.as_str() {
            SIGN_IN => Answer::json(&json!(token(3_600))),
            _ => handler(request),
        })
        .await;
        let target = target(&server, Some(pin));
        Self { server, client: client(), target, credentials: credentials() }
    }

    /// One whose every answer is that one.
    async fn saying(body: serde_json::Value) -> Self {
        Self::start(move |_| Answer::json(&body)).await
    }

    fn access(&self) -> CmlAccess<'_> {
        CmlAccess { target: &self.target, credentials: &self.credentials }
    }

    /// What it was asked, but for the sign-in.
    fn asked(&self) -> Vec<Request> {
        self.server.requests().into_iter().filter(|request| request.line != SIGN_IN).collect()
    }

    /// The same, in one line each: `PUT /api/v0/labs/1/start`, and the body if there is one.
    fn lines(&self) -> Vec<String> {
        let line = |request: Request| format!("{} {}", request.line, request.body).trim_end().to_owned();
        self.asked().into_iter().map(line).collect()
    }
}

fn time(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}
