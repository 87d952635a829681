//! `GET /api/workers/{worker_id}/labs`

use app::use_cases::read_labs::{list_worker_labs, wishes_of};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::LabList;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let person = request.caller()?.acting_person();
    let page = list_worker_labs(&api.context, &person, id, request.limit()?, request.cursor()).await?;
    let wishes = wishes_of(&api.context, &page.items).await?;
    Ok(Response::json(200, &LabList::new(page, &wishes)))
}
