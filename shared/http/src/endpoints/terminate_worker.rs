//! `DELETE /api/workers/{worker_id}`

use app::use_cases::retire_worker::{retire_worker, terminate_by_force};
use domain::InvalidField;

use super::{accepted, asked};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let id = request.worker_id()?;
    let asked = asked(request, "terminate-worker")?;
    let operation = match force(request)? {
        None => retire_worker(&api.context, &asked, id).await?,
        Some(reason) => terminate_by_force(&api.context, &asked, id, reason).await?,
    };
    Ok(accepted(&operation))
}

/// The reason to skip what cannot be reached, when that is asked for.
fn force(request: &Request) -> Result<Option<&str>, Problem> {
    let invalid = |name: &str, message: &str| Err(Problem::invalid(&InvalidField::new(name, message).into()));
    let reason = request.query.get("reason").map(|reason| reason.trim());
    match (request.query.get("force").map(String::as_str), reason) {
        (Some("true"), Some(reason))
            if (1..=200).contains(&reason.chars().count()) && !reason.chars().any(char::is_control) =>
        {
            Ok(Some(reason))
        }
        (Some("true"), _) => invalid("reason", "say why: 1 to 200 characters, without control characters"),
        (None | Some("false"), None) => Ok(None),
        (None | Some("false"), Some(_)) => invalid("reason", "is only for force=true"),
        (Some(_), _) => invalid("force", "must be true or false"),
    }
}
