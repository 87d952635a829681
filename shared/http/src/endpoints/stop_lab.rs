//! `POST /api/workers/{worker_id}/labs/{lab_id}/stop`

use app::use_cases::lab_commands::act_on_lab;
use domain::lab::LabAction;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (worker, lab) = (request.worker_id()?, request.lab_id()?);
    let asked = asked(request, "stop-lab")?;
    let person = request.caller()?.acting_person();
    Ok(accepted(&act_on_lab(&api.context, &asked, &person, worker, &lab, LabAction::Stop).await?))
}
