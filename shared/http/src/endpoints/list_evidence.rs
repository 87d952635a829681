//! `GET /api/workers/{worker_id}/evidence`

use app::use_cases::read_evidence::list_evidence;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{EvidenceList, EvidenceView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let page = list_evidence(&api.context, request.worker_id()?, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(EvidenceView::from).collect();
    Ok(Response::json(200, &EvidenceList { items, next_cursor: page.next }))
}
