//! `POST /api/workers/{worker_id}/labs/restore`

use app::use_cases::restore_lab::restore_lab;
use domain::InvalidField;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::RestoreLab;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let worker = request.worker_id()?;
    let asked = asked(request, "restore-lab")?;
    let person = request.caller()?.acting_person();
    let body: RestoreLab = request.json()?;
    let backup = body.backup_id.parse().map_err(|error: InvalidField| {
        let field = InvalidField::new("backup_id", &error.message);
        Problem::invalid(&field.into())
    })?;
    Ok(accepted(&restore_lab(&api.context, &asked, &person, worker, backup, body.title).await?))
}
