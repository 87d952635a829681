//! `GET /api/workers/{worker_id}/labs/{lab_id}`

use app::use_cases::read_labs::{get_lab, wishes_of};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::LabView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (worker, lab) = (request.worker_id()?, request.lab_id()?);
    let person = request.caller()?.acting_person();
    let ports = (api.controllers()?, api.secrets()?, api.timer.as_ref());
    let (lab, live) = get_lab(&api.context, ports, &person, worker, &lab).await?;
    let wishes = wishes_of(&api.context, std::slice::from_ref(&lab)).await?;
    Ok(Response::json(200, &LabView::new(&lab, live, wishes.values().next())))
}
