//! `GET /api/workers/{worker_id}/events`

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{EventList, EventView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    // A worker that does not exist is a 404, not an empty list.
    api.context.store.worker(id).await?;
    let page = api.context.store.worker_events(id, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(EventView::from).collect();
    Ok(Response::json(200, &EventList { items, next_cursor: page.next }))
}
