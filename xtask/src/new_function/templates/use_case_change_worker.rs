//! {{summary}}

use domain::WorkerId;
use domain::worker::command::{Update, command};
use domain::worker::{Command, Worker};

use super::change::change;
use super::command::{Asked, check_version};
use crate::context::Context;
use crate::error::AppError;

/// {{summary}}
///
/// # Errors
/// The worker is gone, the version does not fit, or the table failed.
pub async fn {{snake}}(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Worker, AppError> {
    change(ctx, id, &asked.actor, |worker| {
        check_version(asked, worker)?;
        // An update of no field: refused for a worker that is gone, and changes nothing of any other.
        // The command that this function is for takes its place.
        Ok(command(worker, &Command::Update(Update::default()))?)
    })
    .await
}
