//! What `{{name}}` answers.

use domain::worker::Worker;
use serde::Serialize;
use utoipa::ToSchema;

/// What `{{name}}` answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct {{answer}} {
    /// The worker's id.
    pub worker_id: String,
    /// Its name.
    pub name: String,
}

impl From<&Worker> for {{answer}} {
    fn from(worker: &Worker) -> Self {
        Self { worker_id: worker.id.to_string(), name: worker.name.clone() }
    }
}
