//! `GET /api/operations/{operation_id}`

use app::use_cases::read_operations::get_operation;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::OperationView;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let operation = get_operation(&api.context, &request.sight(api)?, request.operation_id()?).await?;
    if request.caller()?.bound_to.is_some_and(|worker| operation.target != Some(worker)) {
        return Err(Problem::not_allowed("The key is good for one worker only, and this operation is about another."));
    }
    Ok(Response::json(200, &OperationView::from(&operation)))
}
