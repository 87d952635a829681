//! `GET /api/api-keys`

use app::use_cases::manage_api_keys::list_api_keys;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{ApiKeyList, ApiKeyView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let person = request.caller()?.person();
    let page = list_api_keys(&api.context, &person, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(|(key, used)| ApiKeyView::new(key, *used)).collect();
    Ok(Response::json(200, &ApiKeyList { items, next_cursor: page.next }))
}
