//! `POST /api/reconciliation/trigger`

use app::use_cases::reconcile_commands::reconcile_fleet;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    Ok(accepted(&reconcile_fleet(&api.context, &asked(request, "trigger-reconciliation")?).await?))
}
