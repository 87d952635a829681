//! `DELETE /api/backups/{backup_id}`

use app::use_cases::delete_backup::delete_backup;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    delete_backup(&api.context, api.files()?, request.backup_id()?).await?;
    Ok(Response::no_content())
}
