//! `POST /api/workers/{worker_id}/stop`

use app::use_cases::worker_commands::stop_worker;
use domain::InvalidField;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::StopWorker;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "stop-worker")?;
    let body = if request.body.is_empty() { StopWorker::default() } else { request.json()? };
    if body.reason.as_ref().is_some_and(|reason| reason.chars().count() > 200 || reason.chars().any(char::is_control)) {
        let field = InvalidField::new("reason", "must have at most 200 characters and no control characters");
        return Err(Problem::invalid(&field.into()));
    }
    Ok(accepted(&stop_worker(&api.context, &asked, id, body.reason.as_deref()).await?))
}
