//! `GET /api/reconciliation/stats`

use app::use_cases::reconcile_commands::reconciliation_stats;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::ReconciliationStatsView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let stats = reconciliation_stats(&api.context, &request.sight(api)?).await?;
    Ok(Response::json(200, &ReconciliationStatsView::from(&stats)))
}
