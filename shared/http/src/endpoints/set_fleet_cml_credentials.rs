//! `PUT /api/cml-credentials`

use app::use_cases::set_cml_credentials::set_fleet_cml_credentials;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::SetCmlCredentials;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let body: SetCmlCredentials = request.json()?;
    set_fleet_cml_credentials(api.secrets()?, &body.into()).await?;
    Ok(Response::no_content())
}
