//! `POST /api/workers/{worker_id}/labs/refresh`

use app::use_cases::lab_commands::refresh_labs;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    Ok(accepted(&refresh_labs(&api.context, &asked(request, "refresh-labs")?, id).await?))
}
