//! `PUT /api/workers/{worker_id}/monitoring`

use app::use_cases::worker_commands::set_monitoring;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::SetMonitoring;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "set-worker-monitoring")?;
    let body: SetMonitoring = request.json()?;
    Ok(accepted(&set_monitoring(&api.context, &asked, id, body.enabled).await?))
}
