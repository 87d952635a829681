//! `GET /api/auth/me`

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::Whoami;

#[expect(clippy::unused_async, reason = "every endpoint is")]
pub(crate) async fn handle(_api: &Api, request: &Request) -> Result<Response, Problem> {
    Ok(Response::json(200, &Whoami::from(request.caller()?)))
}
