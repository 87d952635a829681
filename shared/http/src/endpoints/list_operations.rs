//! `GET /api/operations`

use app::use_cases::read_operations::list_operations;
use domain::operation::OperationStatus;
use domain::{InvalidField, WorkerId};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{OperationList, OperationView};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let target = request.query.get("target").map(|text| text.parse::<WorkerId>()).transpose();
    let target = target.map_err(|_| Problem::invalid(&InvalidField::new("target", "must be a worker's id").into()))?;
    let names = OperationStatus::ALL.map(OperationStatus::name);
    let status = request.one_of("status", &names, OperationStatus::from_name)?;
    let sight = request.sight(api)?;
    let page = list_operations(&api.context, &sight, target, status, request.limit()?, request.cursor()).await?;
    let items = page.items.iter().map(OperationView::from).collect();
    Ok(Response::json(200, &OperationList { items, next_cursor: page.next }))
}
