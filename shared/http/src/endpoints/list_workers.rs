//! `GET /api/workers`

use app::use_cases::read_workers::{WorkerFilter, list_workers};
use domain::Region;
use domain::worker::WorkerStatus;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{WorkerList, WorkerView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let region = request.query.get("region").map(|text| text.parse::<Region>()).transpose();
    let filter = WorkerFilter {
        region: region.map_err(|field| Problem::invalid(&field.into()))?,
        status: request.one_of("status", &WorkerStatus::ALL.map(WorkerStatus::name), WorkerStatus::from_name)?,
        owner: request.query.get("owner").cloned(),
        tag: request.query.get("tag").map(|tag| match tag.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (tag.clone(), None),
        }),
    };
    let sight = request.sight(api)?;
    let page = list_workers(&api.context, &sight, &filter, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(WorkerView::from).collect();
    Ok(Response::json(200, &WorkerList { items, next_cursor: page.next }))
}
