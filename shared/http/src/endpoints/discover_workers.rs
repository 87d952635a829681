//! `POST /api/discovered-instances/refresh`

use app::use_cases::discover_workers::discover_workers;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{DiscoveryAsked, DiscoveryAskedPlace};

pub(crate) async fn handle(api: &Api, _request: &Request) -> Result<Response, Problem> {
    let places = discover_workers(&api.context).await?;
    Ok(Response::json(200, &DiscoveryAsked { places: places.iter().map(DiscoveryAskedPlace::from).collect() }))
}
