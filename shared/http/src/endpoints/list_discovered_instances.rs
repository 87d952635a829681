//! `GET /api/discovered-instances`

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{DiscoveredInstanceList, DiscoveredView, DiscoveryPlace};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let store = &api.context.store;
    let page = store.list_discovered(request.limit()?, request.cursor()).await?;
    let looks = store.place_looks(api.context.now()).await?;
    Ok(Response::json(
        200,
        &DiscoveredInstanceList {
            items: page.items.iter().map(DiscoveredView::from).collect(),
            next_cursor: page.next,
            places: looks.iter().map(DiscoveryPlace::from).collect(),
        },
    ))
}
