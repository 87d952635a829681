//! Who calls. A request is judged by one credential, the first of these that it carries:
//!
//! 1. `Authorization: Bearer <access token>`
//! 2. `X-Api-Key: <key>`
//! 3. `X-Ccm-Signature`, with `X-Ccm-Key`, `X-Ccm-Time` and `X-Ccm-Nonce`
//! 4. the session cookie
//!
//! What a caller says explicitly goes before what a browser adds by itself, and a credential that is
//! bad is never made up for by another.

mod bearer;
mod key;
pub(crate) mod session;
mod sight;
mod stored_keys;

use domain::Right;

use crate::api::Api;
use crate::function::Endpoint;
use crate::problem::Problem;
use crate::request::{Caller, Via};
use crate::serve::{Incoming, refused};

pub(crate) use sight::check_sight;

pub use bearer::{AuthConfig, Authenticator, KeySource, RoleRules};
pub use stored_keys::StoredKeys;

/// The caller of a request to an endpoint that is not public.
pub(crate) async fn identify(api: &Api, endpoint: &Endpoint, incoming: &Incoming) -> Result<Caller, Problem> {
    let header = |name: &str| incoming.headers.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
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
    };
    let right = if endpoint.is_change() { Right::Write } else { Right::Read };
    let worker = incoming.path_parameters.get("worker_id").and_then(|id| id.parse().ok());
    let checked = taken(endpoint, via).and_then(|()| {
        key.check(endpoint.group, right, worker)
            .map_err(|why| Problem::not_allowed(crate::problem::sentence(&why.to_string())))
    });
    checked.inspect_err(|problem| refused(endpoint, &caller, &problem.detail))?;
    Ok(caller)
}
