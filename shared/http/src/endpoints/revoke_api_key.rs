//! `DELETE /api/api-keys/{key_id}`

use app::use_cases::manage_api_keys::revoke_api_key;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    revoke_api_key(&api.context, &request.caller()?.person(), &request.key_id()?).await?;
    Ok(Response::no_content())
}
