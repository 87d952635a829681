//! What commands wish of labs. A start or a stop is a wish; to wipe or to delete a lab ends what was wished of it.

use domain::lab::LabAction;
use domain::operation::Operation;
use domain::reconcile::lab::DesiredLab;
use domain::{LabId, WorkerId};

use crate::context::Context;
use crate::error::AppError;
use crate::store::{LabWishChange, StoredWish};

/// What a command that `operation` carries out changes of what is wished of the lab, if anything.
///
/// # Errors
/// The table failed.
pub(super) async fn wish_change(
    ctx: &Context,
    (worker, lab): (WorkerId, &LabId),
    action: &LabAction,
    operation: &Operation,
) -> Result<Option<LabWishChange>, AppError> {
    if matches!(action, LabAction::Update(_)) {
        return Ok(None);
    }
    let before = ctx.store.lab_wish(worker, lab).await?;
    let Some(desired) = DesiredLab::of(action) else {
        // Before the wish is gone: should that not be written, the next judgement counts the lab again.
        ctx.store.count_lab(worker, lab, None).await?;
        return Ok(before.map(LabWishChange::Dropped));
    };
    let wished = (desired, operation.requested_by.clone());
    let wish = StoredWish::new((worker, lab.clone()), before, wished, operation.id, operation.requested_at);
    Ok(Some(LabWishChange::Is(wish)))
}

/// Ends all that is wished of the labs of a worker that is gone, and counts them and it no more.
///
/// # Errors
/// The table failed; what is left is forgotten when this is done again.
pub(super) async fn forget_worker(ctx: &Context, worker: WorkerId) -> Result<(), AppError> {
    for wish in ctx.store.lab_wishes(worker).await? {
        ctx.store.count_lab(worker, &wish.lab_id, None).await?;
        ctx.store.save_lab_wish(&LabWishChange::Dropped(wish)).await?;
    }
    ctx.store.drop_labs_due(worker).await?;
    ctx.store.count_worker(worker, None).await
}
