//! openapi: the OpenAPI document.

use std::sync::LazyLock;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| crate::openapi::document().to_string());

#[expect(clippy::unused_async, reason = "one signature for all handlers")]
pub(crate) async fn handle(_api: &Api, _request: &Request) -> Result<Response, Problem> {
    Ok(Response::text("application/json", DOCUMENT.clone()))
}
