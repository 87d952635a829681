//! `PUT /api/workers/{worker_id}/desired-state`

use app::use_cases::reconcile_commands::set_desired_state;
use domain::Role;
use domain::worker::DesiredState;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::SetDesiredState;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "set-desired-state")?;
    let body: SetDesiredState = request.json()?;
    let desired = body.desired_state().map_err(|field| Problem::invalid(&field.into()))?;
    let may_end = request.caller()?.role >= Role::Admin;
    if desired == DesiredState::Terminated && !may_end {
        return Err(Problem::not_allowed("Wanting a worker terminated needs the role admin."));
    }
    Ok(accepted(&set_desired_state(&api.context, &asked, id, desired, may_end).await?))
}
