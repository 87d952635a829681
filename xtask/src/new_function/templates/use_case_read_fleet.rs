//! {{summary}}

use domain::Sight;

use super::fleet_summary::{FleetSummary, fleet_summary};
use crate::context::Context;
use crate::error::AppError;

/// {{summary}}
///
/// # Errors
/// The table failed.
pub async fn {{snake}}(ctx: &Context) -> Result<FleetSummary, AppError> {
    fleet_summary(ctx, &Sight::Everything).await
}
