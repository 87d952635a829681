//! `PUT /api/workers/{worker_id}/cml-credentials`

use app::use_cases::set_cml_credentials::set_cml_credentials;

use super::asked;
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::SetCmlCredentials;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "set-cml-credentials")?;
    let body: SetCmlCredentials = request.json()?;
    set_cml_credentials(&api.context, api.secrets()?, &asked, id, &body.into()).await?;
    Ok(Response::no_content())
}
