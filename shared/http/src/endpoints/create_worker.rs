//! `POST /api/workers`

use app::use_cases::create_worker::create_worker;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::CreateWorker;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let asked = asked(request, "create-worker")?;
    let body: CreateWorker = request.json()?;
    let new = body.into_new_worker().map_err(|invalid| Problem::invalid(&invalid))?;
    Ok(accepted(&create_worker(&api.context, &asked, new).await?))
}
