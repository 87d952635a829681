//! Look for instances that nobody manages now, instead of at the next tick.

use domain::{Place, SignedDuration};

use super::dispatch_discovery::dispatch_discovery;
use crate::context::Context;
use crate::error::AppError;

/// How often it may be asked for, machine time.
const EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Sends all places to be looked at; those places.
///
/// # Errors
/// Asked again too soon, or a port failed.
pub async fn discover_workers(ctx: &Context) -> Result<Vec<Place>, AppError> {
    match ctx.store.take_turn("discovery", "all", ctx.machine_clock.now(), EVERY).await? {
        Some(retry_after) => Err(AppError::TooSoon { retry_after }),
        None => dispatch_discovery(ctx).await,
    }
}
