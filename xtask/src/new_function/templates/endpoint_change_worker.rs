//! `{{method}} {{path}}`

use app::use_cases::{{module}}::{{call}};

use super::asked;
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{{answer}};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let worker = {{call}}(&api.context, &asked(request, "{{name}}")?, id).await?;
    Ok(Response::json(200, &{{answer}}::from(&worker)).etag(worker.version))
}
