//! What an import leaves at a controller when it ends before its lab has its title.

use domain::lab::LabState;
use domain::operation::cml::ImportLabTask;
use domain::operation::{OperationStatus, Task};
use domain::{OperationId, SignedDuration, WorkerId};

use super::controller::Way;
use super::operation_run::frozen;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlLab, Controllers, LabChange, LabListing};

/// What a lab's title begins with while it is being imported.
const PREFIX: &str = "ccm-import ";
/// A lab changed later than this after it was made was worked on by somebody: CML's own steps of an import are
/// seconds apart.
const MADE_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// What the lab is called until it is known which one it is.
pub(super) fn working_title(id: OperationId) -> String {
    format!("{PREFIX}{id}")
}

/// Which import is at work on a lab of that title.
fn import_of(lab: &CmlLab) -> Option<OperationId> {
    lab.title.as_deref()?.strip_prefix(PREFIX)?.parse().ok()
}

/// Settles the labs of imports that ended without success: one that nobody has touched is deleted, and any other
/// gets the title that it should have. `listing` shows it. What CML refuses is tried again at the next listing.
///
/// # Errors
/// The table failed.
pub(super) async fn settle(
    ctx: &Context,
    controllers: &dyn Controllers,
    way: &Way,
    worker: WorkerId,
    listing: &mut LabListing,
) -> Result<(), AppError> {
    let mut gone: Vec<String> = Vec::new();
    for lab in &mut listing.labs {
        let Some(id) = import_of(lab) else { continue };
        let Some(import) = failed_import(ctx, worker, id).await? else { continue };
        if import.lab.as_ref().is_some_and(|made| made.as_str() != lab.id) || held(ctx).await? {
            continue;
        }
        let outcome = if untouched(lab) {
            let deleted = controllers.delete_lab(way.access(), &lab.id).await;
            deleted.map(|()| gone.push(lab.id.clone()))
        } else {
            retitle(controllers, way, lab, import.title).await
        };
        match outcome {
            Ok(()) => tracing::info!(worker_id = %worker, lab = lab.id, import = %id, "what an import left is settled"),
            Err(error) => tracing::warn!(worker_id = %worker, lab = lab.id, %error, "what an import left stays"),
        }
    }
    listing.labs.retain(|lab| !gone.contains(&lab.id));
    Ok(())
}

/// The import, when it is one of this worker's that ended without success. One that is not known may be another
/// installation's, and is left alone.
async fn failed_import(ctx: &Context, worker: WorkerId, id: OperationId) -> Result<Option<ImportLabTask>, AppError> {
    let operation = match ctx.store.operation(id).await {
        Err(AppError::NotFound { .. }) => return Ok(None),
        operation => operation?,
    };
    let failed = matches!(operation.status, OperationStatus::Failed | OperationStatus::Expired);
    Ok(match operation.task {
        Task::ImportLab(task) if failed && operation.target == Some(worker) => Some(task),
        _ => None,
    })
}

/// A brake is on.
async fn held(ctx: &Context) -> Result<bool, AppError> {
    Ok(ctx.settings.safe_mode || frozen(ctx).await?.is_some())
}

/// It never ran, and nobody has changed it since it was made.
fn untouched(lab: &CmlLab) -> bool {
    let never_ran =
        lab.state.as_ref().is_some_and(|state| LabState::from_name(state.name()) == LabState::DefinedOnCore);
    let unchanged = lab.created_at.zip(lab.modified_at).map(|(made, changed)| changed.duration_since(made));
    never_ran && unchanged.is_some_and(|after| after <= MADE_WITHIN)
}

async fn retitle(controllers: &dyn Controllers, way: &Way, lab: &mut CmlLab, title: String) -> Result<(), CmlError> {
    let change = LabChange { title: Some(&title), ..LabChange::default() };
    controllers.update_lab(way.access(), &lab.id, change).await?;
    lab.title = Some(title);
    Ok(())
}
