//! `{{method}} {{path}}`

use app::use_cases::{{module}}::{{call}};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{{answer}};

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let worker = {{call}}(&api.context, request.worker_id()?).await?{{part}};
    Ok(Response::json(200, &{{answer}}::from(&worker)).etag(worker.version))
}
