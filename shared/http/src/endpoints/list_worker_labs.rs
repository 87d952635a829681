//! `GET /api/workers/{worker_id}/labs`

use app::use_cases::read_labs::list_worker_labs;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{LabList, LabView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let person = request.caller()?.acting_person();
    let page = list_worker_labs(&api.context, &person, id, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(LabView::listed).collect();
    Ok(Response::json(200, &LabList { items, next_cursor: page.next }))
}
