//! `POST /api/workers/{worker_id}/refresh`

use app::use_cases::refresh_worker::refresh_worker;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    Ok(accepted(&refresh_worker(&api.context, &asked(request, "refresh-worker")?, id).await?))
}
