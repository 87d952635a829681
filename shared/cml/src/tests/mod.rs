//! The client against controllers on the loopback.

mod readings;
mod server;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use app::ports::{Clock, CmlCredentials, CmlTarget, SystemInformation};
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
    let timeouts = Timeouts { connect: Duration::from_secs(3), total: Duration::from_millis(400) };
    CmlClient::with_timeouts(Arc::new(Fixed), timeouts)
}

fn target(server: &Server, pin: Option<String>) -> CmlTarget {
    CmlTarget {
        worker: WorkerId::new(Timestamp::from_second(1).unwrap(), 7),
        endpoint: server.endpoint.clone(),
        certificate_sha256: pin,
    }
}

fn credentials() -> CmlCredentials {
    CmlCredentials { username: "fleet-reader".into(), password: "correct horse".into() }
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
