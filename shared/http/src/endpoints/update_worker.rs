//! `PATCH /api/workers/{worker_id}`

use app::use_cases::read_workers::details;
use app::use_cases::update_worker::update_worker;
use domain::Role;

use super::asked;
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{UpdateWorker, WorkerView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "update-worker")?;
    let body: UpdateWorker = request.json()?;
    if body.needs_admin() && request.caller()?.role < Role::Admin {
        return Err(Problem::not_allowed("Setting cml_endpoint or cml_credentials_ref needs the role admin."));
    }
    let worker = update_worker(&api.context, &asked, id, body.into_update()).await?;
    let details = details(&api.context, worker).await?;
    Ok(Response::json(200, &WorkerView::from(&details)).etag(details.worker.version))
}
