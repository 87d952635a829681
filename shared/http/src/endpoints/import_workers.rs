//! `POST /api/workers/import`

use app::use_cases::import_workers::import_workers;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::ImportWorkers;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let asked = asked(request, "import-workers")?;
    let body: ImportWorkers = request.json()?;
    Ok(accepted(&import_workers(&api.context, &asked, body.into()).await?))
}
