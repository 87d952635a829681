//! `GET /api/health`

use app::use_cases::fleet_summary::fleet_state;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::Health;

pub(crate) async fn handle(api: &Api, _request: &Request) -> Result<Response, Problem> {
    let state = fleet_state(&api.context).await?;
    Ok(Response::json(200, &Health::new(&state, api.context.settings.safe_mode)))
}
