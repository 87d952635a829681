//! `POST /api/workers/{worker_id}/certificate`

use app::use_cases::read_workers::details;
use app::use_cases::update_worker::repin_certificate;

use super::asked;
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::WorkerView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let worker = repin_certificate(&api.context, &asked(request, "repin-certificate")?, id).await?;
    let details = details(&api.context, worker).await?;
    Ok(Response::json(200, &WorkerView::from(&details)).etag(details.worker.version))
}
