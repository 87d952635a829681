//! `POST /api/workers/{worker_id}/reconcile`

use app::use_cases::reconcile_commands::reconcile_worker;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    Ok(accepted(&reconcile_worker(&api.context, &asked(request, "reconcile-worker")?, id).await?))
}
