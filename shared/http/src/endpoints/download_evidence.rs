//! `GET /api/workers/{worker_id}/evidence/{evidence_id}`

use app::use_cases::read_evidence::download_evidence;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (worker, id) = (request.worker_id()?, request.evidence_id()?);
    let (_, text) = download_evidence(&api.context, api.files()?, worker, id).await?;
    Ok(Response::text("text/plain; charset=utf-8", text)
        .header("content-disposition", format!("attachment; filename=\"{id}.txt\"")))
}
