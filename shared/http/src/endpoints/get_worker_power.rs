//! `GET /api/workers/{worker_id}/power`

use app::use_cases::read_workers::get_worker;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::WorkerPower;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let details = get_worker(&api.context, request.worker_id()?).await?;
    Ok(Response::json(200, &WorkerPower::from(&details)).etag(details.worker.version))
}
