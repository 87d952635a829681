//! `GET /api/fleet/metrics`

use app::use_cases::fleet_summary::fleet_summary;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::FleetMetrics;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    Ok(Response::json(200, &FleetMetrics::from(&fleet_summary(&api.context, &request.sight(api)?).await?)))
}
