//! `POST /api/api-keys/{key_id}/rotate`

use app::use_cases::manage_api_keys::rotate_api_key;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{ApiKeyView, NewApiKey};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let sealer = api.sealer.as_deref().ok_or_else(Problem::internal)?;
    let person = request.caller()?.person();
    let (key, secret) = rotate_api_key(&api.context, sealer, &person, &request.key_id()?).await?;
    Ok(Response::json(200, &NewApiKey { about: ApiKeyView::new(&key, None), key: secret }))
}
