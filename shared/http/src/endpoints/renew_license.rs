//! `POST /api/workers/{worker_id}/license/renew`

use app::use_cases::license_commands::renew_license;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    Ok(accepted(&renew_license(&api.context, &asked(request, "renew-license")?, id).await?))
}
