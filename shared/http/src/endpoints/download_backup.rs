//! `GET /api/backups/{backup_id}/download`

use app::AppError;
use app::use_cases::read_backups::download_backup;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

/// The largest file that an answer can carry, in bytes. Lambda's limit is 6 MB of JSON, in which every line end
/// takes two.
const ANSWER_MAX_BYTES: usize = 5_000_000;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let person = request.caller()?.acting_person();
    let (backup, yaml) = download_backup(&api.context, api.files()?, &person, request.backup_id()?).await?;
    if yaml.len() > ANSWER_MAX_BYTES {
        let what = format!(
            "the file of backup {} has {} bytes, and an answer carries at most {ANSWER_MAX_BYTES}; restore it, or \
             take {} from the bucket of files",
            backup.id,
            backup.bytes,
            backup.file_key()
        );
        return Err(AppError::Conflict(what).into());
    }
    Ok(Response::text("application/yaml", yaml)
        .etag_of(&backup.sha256)
        .header("content-disposition", format!("attachment; filename=\"{}.yaml\"", backup.id)))
}
