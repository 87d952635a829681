//! What `{{name}}` answers.

use app::use_cases::fleet_summary::FleetSummary;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// What `{{name}}` answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct {{answer}} {
    /// Workers that are not terminated.
    pub workers: u64,
    /// When this was counted.
    pub at: String,
}

impl From<&FleetSummary> for {{answer}} {
    fn from(fleet: &FleetSummary) -> Self {
        Self { workers: fleet.workers, at: time(fleet.at) }
    }
}
