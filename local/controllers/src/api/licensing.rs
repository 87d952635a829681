//! The licence: for administrators only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::system::HOSTNAME;
use super::{Body, Machined, done};
use crate::failure::Failure;
use crate::faults::ControllerFault;
use crate::machine::{Caller, Machine, Turn};
use crate::model::licence::Transport;
use crate::model::telemetry::Event;

const PRODUCT_LIMIT: usize = 20;
const TOKEN_LIMIT: usize = 256;
const URL_LIMIT: usize = 256;

/// Changes the licence, as an administrator, and leaves a trace of it in the telemetry.
fn change<T>(
    machine: &Machine,
    caller: &Caller,
    work: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    caller.must_be_admin()?;
    machine.with(|turn| {
        let changed = work(turn)?;
        let event = Event::by_user("license_info", turn.now, &caller.user.id);
        turn.note(event);
        Ok(changed)
    })
}

pub(super) async fn show(State(machine): Machined, caller: Caller) -> Result<Json<Value>, Failure> {
    caller.must_be_admin()?;
    machine.with(|turn| {
        let controller = turn.controller();
        Ok(Json(controller.licence.describe(HOSTNAME, &controller.product_uuid, turn.now)))
    })
}

/// Never on here.
pub(super) async fn reservation_mode(caller: Caller) -> Result<Json<bool>, Failure> {
    caller.must_be_admin()?;
    Ok(Json(false))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTransport {
    ssms: Option<String>,
    proxy: NewProxy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProxy {
    server: Option<String>,
    port: Option<u16>,
}

pub(super) async fn set_transport(
    State(machine): Machined,
    caller: Caller,
    Body(new): Body<NewTransport>,
) -> Result<Response, Failure> {
    let is_url = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    if new.ssms.as_ref().is_some_and(|url| !is_url(url) || url.len() > URL_LIMIT) {
        let message = "String should match pattern '^https?://'";
        return Err(Failure::validation(&["body", "ssms"], "string_pattern_mismatch", message));
    }
    if new.proxy.port == Some(0) {
        let message = "Input should be greater than or equal to 1";
        return Err(Failure::validation(&["body", "proxy", "port"], "greater_than_equal", message));
    }
    let NewProxy { server, port } = new.proxy;
    change(&machine, &caller, |turn| {
        turn.edit().licence.transport = Transport { ssms: new.ssms, proxy_server: server, proxy_port: port };
        Ok(done())
    })
}

/// The product is a JSON string by itself.
pub(super) async fn set_product(
    State(machine): Machined,
    caller: Caller,
    Body(product): Body<String>,
) -> Result<Response, Failure> {
    let is_word = product.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if !(1..=PRODUCT_LIMIT).contains(&product.chars().count()) || !is_word {
        let message = r"String should match pattern '^\w{1,20}$'";
        return Err(Failure::validation(&["body"], "string_pattern_mismatch", message));
    }
    change(&machine, &caller, |turn| {
        if turn.edit().licence.set_product(&product) {
            return Ok(done());
        }
        Err(Failure::new(StatusCode::BAD_REQUEST, format!("Licensing issue: Unknown product license {product}.")))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    token: String,
    #[serde(default)]
    reregister: bool,
}

/// Accepted at once, answered later.
pub(super) async fn register(
    State(machine): Machined,
    caller: Caller,
    Body(wanted): Body<Registration>,
) -> Result<Response, Failure> {
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "+/%=-".contains(letter);
    if !(1..=TOKEN_LIMIT).contains(&wanted.token.len()) || !wanted.token.chars().all(is_token) {
        let message = r"String should match pattern '^[a-zA-Z\d+/%=-]{1,256}$'";
        return Err(Failure::validation(&["body", "token"], "string_pattern_mismatch", message));
    }
    change(&machine, &caller, |turn| {
        let now = turn.now;
        turn.edit().licence.register(&wanted.token, wanted.reregister, now)?;
        // Only a request that is taken on can fail later.
        if turn.faults().of_licensing(&ControllerFault::RegistrationFails) {
            turn.edit().licence.lose_registration();
        }
        Ok(done())
    })
}

pub(super) async fn renew_registration(State(machine): Machined, caller: Caller) -> Result<Response, Failure> {
    change(&machine, &caller, |turn| {
        let now = turn.now;
        let heard = !turn.faults().of_licensing(&ControllerFault::RenewalFails);
        turn.edit().licence.renew_registration(now, heard)?;
        Ok(done())
    })
}

pub(super) async fn renew_authorization(State(machine): Machined, caller: Caller) -> Result<Response, Failure> {
    change(&machine, &caller, |turn| {
        let now = turn.now;
        let heard = !turn.faults().of_licensing(&ControllerFault::RenewalFails);
        turn.edit().licence.renew_authorization(now, heard)?;
        Ok(done())
    })
}

/// 202 when the smart account did not hear of it.
pub(super) async fn deregister(State(machine): Machined, caller: Caller) -> Result<Response, Failure> {
    change(&machine, &caller, |turn| {
        let running = turn.controller().demand(turn.now).running_nodes;
        turn.edit().licence.deregister(running)?;
        if turn.faults().of_licensing(&ControllerFault::DeregistrationUnheard) {
            turn.smart_account_hears = false;
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        Ok(done())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureCount {
    id: String,
    count: u32,
}

pub(super) async fn set_features(
    State(machine): Machined,
    caller: Caller,
    Body(wanted): Body<Vec<FeatureCount>>,
) -> Result<Response, Failure> {
    let refused = |kind, message| Err(Failure::validation(&["body"], kind, message));
    match wanted.len() {
        0 => return refused("too_short", "List should have at least 1 item after validation, not 0"),
        1..=2 => {}
        _ => return refused("too_long", "List should have at most 2 items after validation"),
    }
    let counts: Vec<_> = wanted.into_iter().map(|feature| (feature.id, feature.count)).collect();
    change(&machine, &caller, |turn| {
        turn.edit().licence.set_features(&counts)?;
        Ok(done())
    })
}
