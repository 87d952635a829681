//! `GET /api/workers/{worker_id}/license`

use app::use_cases::read_license::get_license;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::WorkerLicense;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let ports = (api.controllers()?, api.secrets()?, api.timer.as_ref());
    let details = get_license(&api.context, ports, id).await?;
    Ok(Response::json(200, &WorkerLicense::from(&details)))
}
