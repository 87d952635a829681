//! Change what may be changed of a worker without touching its power.

use domain::operation::Task;
use domain::worker::{Change, Command, Worker, command::Update, command::command, spec};
use domain::{Invalid, InvalidField, WorkerId};

use super::change::change;
use super::command::{Asked, check_version, into_app_error, new_operation, record_and_send};
use super::endpoint::{check_credentials_ref, check_endpoint};
use crate::context::Context;
use crate::error::AppError;
use crate::store::{Commit, CommitError};

/// How often an update is judged anew when others change the same worker.
const ATTEMPTS: usize = 5;

/// Applies the update; in the same transaction starts an operation that makes EC2's tags equal ours,
/// when they differ by it.
///
/// # Errors
/// What is wrong with the input, by field; the worker is gone; the version does not fit; or a port failed.
pub async fn update_worker(ctx: &Context, asked: &Asked, id: WorkerId, mut update: Update) -> Result<Worker, AppError> {
    check(ctx, &mut update)?;
    let wish = Command::Update(update);
    // A PATCH starts no operation of the caller's own, so it has no key.
    let asked = &Asked { key: None, ..asked.clone() };
    for _ in 0..ATTEMPTS {
        let before = ctx.store.worker(id).await?;
        check_version(asked, &before)?;
        let Some(change) = Change::of(&before, command(&before, &wish)?, asked.actor.clone(), ctx.now()) else {
            return Ok(before);
        };
        let after = change.worker.clone();
        check_tag_count(&after)?;
        let mut commit = Commit { change: Some(change), ..Commit::default() };
        let retag = after.instance.is_some() && (after.name != before.name || after.tags != before.tags);
        let outcome = if retag {
            let remove = before.tags.keys().filter(|key| !after.tags.contains_key(*key)).cloned().collect();
            let operation = new_operation(ctx, Task::UpdateTags { remove }, Some(id), asked);
            record_and_send(ctx, &mut commit, &operation, asked).await.map(|_| ())
        } else {
            ctx.store.commit(&commit, ctx.settings.operation_retention).await
        };
        match outcome {
            Ok(()) => return Ok(after),
            Err(CommitError::WorkerChanged | CommitError::Contended) => {}
            Err(error) => return Err(into_app_error(error)),
        }
    }
    Err(AppError::Busy(id))
}

/// The tags together, not only those of this request.
fn check_tag_count(worker: &Worker) -> Result<(), InvalidField> {
    if worker.tags.len() > spec::TAGS_MAX {
        let message = format!(
            "would be {} together with those it has; at most {} are allowed",
            worker.tags.len(),
            spec::TAGS_MAX
        );
        return Err(InvalidField::new("tags", message));
    }
    Ok(())
}

/// Lets the next certificate be recorded anew.
///
/// # Errors
/// The worker is gone, the version does not fit, or the table failed.
pub async fn repin_certificate(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Worker, AppError> {
    change(ctx, id, &asked.actor, |worker| {
        check_version(asked, worker)?;
        Ok(command(worker, &Command::Repin)?)
    })
    .await
}

fn check(ctx: &Context, update: &mut Update) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    if let Some(name) = &mut update.name
        && let Some(checked) = invalid.check(spec::check_name(name))
    {
        *name = checked;
    }
    spec::check_tags(&update.set_tags, &mut invalid);
    for key in &update.remove_tags {
        spec::check_tag_key(key, &mut invalid);
    }
    if let Some(Some(minutes)) = update.idle_timeout_minutes {
        invalid.check(spec::check_idle_timeout(minutes));
    }
    if let Some(Some(owner)) = &update.owner {
        spec::check_owner(owner, &mut invalid);
    }
    if let Some(Some(endpoint)) = &update.cml_endpoint {
        invalid.check(check_endpoint(endpoint, ctx.settings.allow_loopback_controllers));
    }
    if let Some(Some(reference)) = &update.cml_credentials_ref {
        invalid.check(check_credentials_ref(reference));
    }
    invalid.finish(Some(()))
}
