//! `DELETE /api/workers/{worker_id}`

use app::use_cases::worker_commands::terminate_worker;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    Ok(accepted(&terminate_worker(&api.context, &asked(request, "terminate-worker")?, id).await?))
}
