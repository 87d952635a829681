//! `PUT /api/workers/{worker_id}/license`

use app::use_cases::license_commands::register_license;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::RegisterLicense;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "register-license")?;
    let body: RegisterLicense = request.json()?;
    Ok(accepted(&register_license(&api.context, api.secrets()?, &asked, id, body.into()).await?))
}
