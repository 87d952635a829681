//! `POST /api/workers/{worker_id}/start`

use app::use_cases::worker_commands::start_worker;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    Ok(accepted(&start_worker(&api.context, &asked(request, "start-worker")?, id).await?))
}
