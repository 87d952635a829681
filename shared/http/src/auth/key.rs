//! API keys: sent as they are, or as what a request is signed with.

use app::use_cases::check_api_key::{CredentialError, check_api_key};
use app::use_cases::check_signature::{SignedRequest, check_signature};
use domain::ApiKey;

use crate::api::Api;
use crate::function::Endpoint;
use crate::incoming::Incoming;
use crate::problem::Problem;

/// The key that was sent.
pub(super) async fn sent(api: &Api, sent: &str) -> Result<ApiKey, Problem> {
    check_api_key(&api.context, sent).await.map_err(problem)
}

/// The key that the request was signed with.
pub(super) async fn signed_with(
    api: &Api,
    endpoint: &Endpoint,
    incoming: &Incoming,
    signature: &str,
) -> Result<ApiKey, Problem> {
    if incoming.repeats_query {
        return Err(Problem::unauthorized("A signed request names each query parameter once.", Some("invalid_token")));
    }
    let header = |name: &str| incoming.headers.get(name).map_or("", |value| value.trim());
    let request = SignedRequest {
        key_id: header("x-ccm-key"),
        time: header("x-ccm-time"),
        nonce: header("x-ccm-nonce"),
        signature,
        method: endpoint.method,
        path: &incoming.path,
        query: &incoming.query,
        body: &incoming.body,
    };
    let Some(sealer) = &api.sealer else {
        tracing::error!("the function table gives this function no way to check signatures");
        return Err(Problem::internal());
    };
    check_signature(&api.context, sealer.as_ref(), &request).await.map_err(problem)
}

fn problem(error: CredentialError) -> Problem {
    match error {
        CredentialError::Refused(why) => Problem::unauthorized(why, Some("invalid_token")),
        CredentialError::App(error) => error.into(),
    }
}
