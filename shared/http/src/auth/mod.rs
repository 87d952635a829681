//! Who calls. A request is judged by one credential, the first of these that it carries:
//!
//! 1. `Authorization: Bearer <access token>`
//! 2. `X-Api-Key: <key>`
//! 3. `X-Ccm-Signature`, with `X-Ccm-Key`, `X-Ccm-Time` and `X-Ccm-Nonce`
//! 4. the session cookie
//!
//! What a caller says explicitly goes before what a browser adds by itself, and a credential that is
//! bad is never made up for by another.

mod key;
pub(crate) mod session;
mod sight;

use domain::Right;

use crate::api::Api;
use crate::caller::{Caller, Via};
use crate::function::Endpoint;
use crate::incoming::Incoming;
use crate::problem::Problem;

pub(crate) use sight::check_sight;

/// The caller of a request to an endpoint that is not public.
pub(crate) async fn identify(api: &Api, endpoint: &Endpoint, incoming: &Incoming) -> Result<Caller, Problem> {
    // A header that says nothing is still the caller's own word.
    let header = |name: &str| incoming.headers.get(name).map(|value| value.trim());
    if let Some(authorization) = header("authorization") {
        return api.auth.authenticate(authorization).await;
    }
    if let Some(sent) = header("x-api-key") {
        let key = key::sent(api, sent).await?;
        return opened(endpoint, incoming, &key, Via::ApiKey);
    }
    if let Some(signature) = header("x-ccm-signature") {
        taken(endpoint, Via::Signature)?;
        let key = key::signed_with(api, endpoint, incoming, signature).await?;
        return opened(endpoint, incoming, &key, Via::Signature);
    }
    session::identify(api, incoming, endpoint.is_change())
        .await?
        .ok_or_else(|| Problem::unauthorized("Sign in first: send a token as \"Authorization: Bearer <token>\".", None))
}

/// Whether the endpoint takes that kind of credential.
fn taken(endpoint: &Endpoint, via: Via) -> Result<(), Problem> {
    if endpoint.access.takes(via) {
        return Ok(());
    }
    Err(Problem::not_allowed(match via {
        Via::Signature => "This route takes no signed requests. Use a token or an API key.",
        _ => "This route is for people: it takes no API key. Use a token or sign in.",
    }))
}

/// The caller that a key stands for, if it opens the endpoint.
fn opened(endpoint: &Endpoint, incoming: &Incoming, key: &domain::ApiKey, via: Via) -> Result<Caller, Problem> {
    let caller = Caller {
        subject: format!("api-key:{}", key.id),
        username: format!("{} (key of {})", key.name, key.owner_username),
        role: key.role,
        via,
        acts_for: key.owner_username.clone(),
        bound_to: key.worker,
    };
    let right = if endpoint.is_change() { Right::Write } else { Right::Read };
    let worker = match incoming.path_parameters.get("worker_id") {
        Some(id) => id.parse().ok(),
        // Of an operation its own worker counts, which its endpoint looks at.
        None if incoming.path_parameters.contains_key("operation_id") => key.worker,
        None => None,
    };
    let checked = taken(endpoint, via).and_then(|()| {
        key.check(endpoint.group, right, worker)
            .map_err(|why| Problem::not_allowed(crate::problem::sentence(&why.to_string())))
    });
    caller.note();
    checked.map(|()| caller)
}
