//! `POST /api/workers/{worker_id}/labs/{lab_id}/backups`

use app::use_cases::back_up_lab::back_up_lab;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (worker, lab) = (request.worker_id()?, request.lab_id()?);
    let asked = asked(request, "back-up-lab")?;
    let person = request.caller()?.acting_person();
    Ok(accepted(&back_up_lab(&api.context, &asked, &person, worker, &lab).await?))
}
