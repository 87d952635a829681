//! From a request to its answer: limits, sign-in, role, the endpoint, and the headers of every answer.

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures::FutureExt;
use futures::future::{Either, select};
use tracing::Instrument;

use crate::api::Api;
use crate::auth;
use crate::caller::Caller;
use crate::function::{Endpoint, Function};
use crate::incoming::Incoming;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

/// The service's name in every answer.
const SERVICE_NAME: &str = "cml-cloud-manager";

/// Answers a request to that function, with a problem if `out_of_time` comes first. Never fails: what
/// goes wrong is an answer too.
pub async fn serve(
    api: &Api,
    function: &Function,
    incoming: Incoming,
    out_of_time: impl Future<Output = ()>,
) -> Response {
    let request_id = incoming.request_id.clone();
    let path = incoming.path.clone();
    let span = tracing::info_span!(
        "request",
        function = function.name,
        request_id,
        caller = tracing::field::Empty,
        subject = tracing::field::Empty,
        role = tracing::field::Empty,
        via = tracing::field::Empty
    );
    async {
        // A panic must not cost the caller the answer, nor us its id.
        let answering = pin!(AssertUnwindSafe(answer(api, function, incoming)).catch_unwind());
        let outcome = match select(answering, pin!(out_of_time)).await {
            Either::Left((Ok(outcome), _)) => outcome,
            Either::Left((Err(_), _)) => {
                tracing::error!("the endpoint panicked");
                Err(Problem::internal())
            }
            Either::Right(_) => {
                tracing::error!("the endpoint's time is up");
                Err(Problem::out_of_time())
            }
        };
        if let (Err(problem), Some(endpoint)) = (&outcome, function.endpoint()) {
            note_refusal(endpoint, problem);
        }
        let response = outcome.unwrap_or_else(|problem| problem.response(&path, &request_id));
        tracing::info!(status = response.status, "answered");
        finish(response, &request_id)
    }
    .instrument(span)
    .await
}

async fn answer(api: &Api, function: &Function, incoming: Incoming) -> Result<Response, Problem> {
    let Some(endpoint) = function.endpoint() else {
        tracing::error!("a request came to a function that has no endpoint");
        return Err(Problem::internal());
    };
    if incoming.body.len() > endpoint.body_max_bytes() {
        return Err(Problem::too_large(endpoint.body_max_bytes()));
    }
    let caller = admit(api, endpoint, &incoming).await?;
    if endpoint.body.is_none() && endpoint.method != "GET" && !incoming.body.is_empty() {
        crate::body::parse::<NoBody>(&incoming.body)?;
    }
    let request = Request {
        path: incoming.path,
        path_parameters: incoming.path_parameters,
        query: incoming.query,
        headers: incoming.headers,
        cookies: incoming.cookies,
        body: incoming.body,
        caller,
    };
    if endpoint.is_change() {
        // A header that is none is refused even where it would say nothing.
        request.if_match()?;
        request.idempotency_key()?;
    }
    (endpoint.handler)(api, &request).await
}

/// The body of an endpoint that takes none: nothing, or `{}`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBody {}

/// Who calls, if they may. A public endpoint asks nobody, so that a stale token does not lock one out of it.
async fn admit(api: &Api, endpoint: &Endpoint, incoming: &Incoming) -> Result<Option<Caller>, Problem> {
    let Some(least) = endpoint.access.least_role() else { return Ok(None) };
    let caller = auth::identify(api, endpoint, incoming).await?;
    if caller.role < least {
        return Err(Problem::forbidden(least));
    }
    auth::check_sight(api, &caller, incoming).await?;
    Ok(Some(caller))
}

/// A denied attempt, for the log. Who it was, as far as that is known, is in the span around it.
fn note_refusal(endpoint: &Endpoint, problem: &Problem) {
    if matches!(problem.status, 401 | 403 | 404) || problem.code == "sign_in_failed" {
        let Problem { status, code, detail, .. } = problem;
        tracing::warn!(method = endpoint.method, route = endpoint.path, status, code, why = detail, "refused");
    }
}

/// Adds the headers of every answer, each exactly once.
fn finish(mut response: Response, request_id: &str) -> Response {
    let ours = [
        ("x-service-name", SERVICE_NAME),
        ("x-request-id", request_id),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
    ];
    // These two an endpoint may set itself.
    let defaults =
        [("cache-control", "no-store"), ("content-security-policy", "default-src 'none'; frame-ancestors 'none'")];
    response.headers.retain(|(name, _)| ours.iter().all(|(our, _)| our != name));
    let missing = defaults.into_iter().filter(|(name, _)| response.headers.iter().all(|(set, _)| set != name));
    let added: Vec<_> = ours.into_iter().chain(missing).map(|(name, value)| (name, value.to_owned())).collect();
    response.headers.extend(added);
    response
}

#[cfg(test)]
mod tests;
