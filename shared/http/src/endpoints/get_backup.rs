//! `GET /api/backups/{backup_id}`

use app::use_cases::read_backups::get_backup;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::BackupView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let person = request.caller()?.acting_person();
    let backup = get_backup(&api.context, &person, request.backup_id()?).await?;
    Ok(Response::json(200, &BackupView::from(&backup)))
}
