//! What is not the caller's to see does not exist for them.

use app::use_cases::read_labs::sees_worker;
use domain::{Sight, WorkerId};

use crate::api::Api;
use crate::caller::Caller;
use crate::incoming::Incoming;
use crate::problem::Problem;

/// Refuses a worker in the path that the caller does not see, because neither it nor a lab on it is theirs.
/// Lists and operations are narrowed where they are read.
///
/// # Errors
/// 404, as for a worker that is not there; 503 when that cannot be read.
pub(crate) async fn check_sight(api: &Api, caller: &Caller, incoming: &Incoming) -> Result<(), Problem> {
    let sight = caller.sight(api.context.settings.visibility);
    if sight == Sight::Everything {
        return Ok(());
    }
    let Some(text) = incoming.path_parameters.get("worker_id") else { return Ok(()) };
    // A malformed id is for the endpoint to refuse.
    let Ok(id) = text.parse::<WorkerId>() else { return Ok(()) };
    let worker = api.context.store.worker(id).await?;
    let seen = sees_worker(&api.context, &caller.acting_person(), &worker).await?;
    if seen { Ok(()) } else { Err(Problem::not_found("worker", text)) }
}
