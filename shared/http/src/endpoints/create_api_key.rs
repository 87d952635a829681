//! `POST /api/api-keys`

use app::use_cases::create_api_key::create_api_key;

use crate::api::Api;
use crate::function::Function;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;
use crate::table::FUNCTIONS;

use crate::wire::{ApiKeyView, CreateApiKey, NewApiKey};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let body: CreateApiKey = request.json()?;
    let new = body.into_new_key().map_err(|invalid| Problem::invalid(&invalid))?;
    let sealer = api.sealer.as_deref().ok_or_else(Problem::internal)?;
    let person = request.caller()?.person();
    let (key, secret) = create_api_key(&api.context, sealer, &person, &groups(), new).await?;
    Ok(Response::json(201, &NewApiKey { about: ApiKeyView::new(&key, None), key: secret }))
}

/// The groups that keys can open.
fn groups() -> Vec<&'static str> {
    let open = |function: &'static Function| {
        function.endpoint().filter(|endpoint| endpoint.access.takes(crate::caller::Via::ApiKey))
    };
    let mut groups: Vec<_> = FUNCTIONS.iter().filter_map(open).map(|endpoint| endpoint.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}
