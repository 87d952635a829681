//! `{{method}} {{path}}`

use app::use_cases::{{module}}::{{call}};

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::{{answer}};

pub(crate) async fn handle(api: &Api, _request: &Request) -> Result<Response, Problem> {
    Ok(Response::json(200, &{{answer}}::from(&{{call}}(&api.context).await?)))
}
