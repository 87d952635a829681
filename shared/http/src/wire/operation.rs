//! An operation as callers see it.

use std::collections::BTreeMap;

use domain::operation::Operation;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ActorView, EvidencePointerView, maybe_time, time};

/// One asynchronous command.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView {
    /// Its id.
    pub id: String,
    /// What is to be done: `create_worker`, `stop_worker`, ...
    pub kind: &'static str,
    /// The worker it is about; null for an import or the whole fleet.
    pub target: Option<String>,
    /// `queued`, `running`, `succeeded`, `failed` or `expired`.
    pub status: &'static str,
    /// Who asked.
    pub requested_by: ActorView,
    /// When they asked.
    pub requested_at: String,
    /// When the first attempt began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// When it expires, if nothing else ends it.
    pub expires_at: String,
    /// Attempts that called AWS to change something.
    pub attempts: u32,
    /// What it waits for now.
    pub waiting_for: Option<String>,
    /// What it has achieved, also before its end.
    pub result: Option<ResultView>,
    /// Why it did not, once it failed or expired.
    pub error: Option<ErrorView>,
    /// What was kept of its failure, a moment after its end.
    pub evidence: Vec<EvidencePointerView>,
}

/// What an operation achieved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResultView {
    /// The worker made, changed, or the only one imported.
    pub worker_id: Option<String>,
    /// Workers imported.
    pub imported: Vec<String>,
    /// Instances not imported, and why.
    pub skipped: BTreeMap<String, String>,
    /// In words, when there is more to say.
    pub detail: Option<String>,
    /// What the change costs a month, in US dollars.
    pub monthly_cost_usd: Option<f64>,
    /// The lab made or acted on.
    pub lab_id: Option<String>,
    /// The backup made.
    pub backup_id: Option<String>,
    /// How many workers were reached, of the whole fleet.
    pub workers: Option<u32>,
    /// What is done and yet not quite as wanted.
    pub warnings: Vec<String>,
}

/// Why an operation ended without its result.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorView {
    /// EC2's own code, or one of ours in `snake_case`.
    pub code: String,
    /// EC2's own message, or what to do.
    pub message: String,
}

/// A page of operations, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OperationList {
    /// The operations.
    pub items: Vec<OperationView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl From<&Operation> for OperationView {
    fn from(operation: &Operation) -> Self {
        Self {
            id: operation.id.to_string(),
            kind: operation.task.kind(),
            target: operation.target.map(|id| id.to_string()),
            status: operation.status.name(),
            requested_by: ActorView::from(&operation.requested_by),
            requested_at: time(operation.requested_at),
            started_at: maybe_time(operation.started_at),
            finished_at: maybe_time(operation.finished_at),
            expires_at: time(operation.expires_at),
            attempts: operation.attempts,
            waiting_for: operation.waiting_for.clone(),
            result: operation.result.as_ref().map(|result| ResultView {
                worker_id: result.worker_id.map(|id| id.to_string()),
                imported: result.imported.iter().map(ToString::to_string).collect(),
                skipped: result.skipped.clone(),
                detail: result.detail.clone(),
                monthly_cost_usd: result.monthly_cost_usd,
                lab_id: result.lab_id.as_ref().map(ToString::to_string),
                backup_id: result.backup_id.map(|id| id.to_string()),
                workers: result.workers,
                warnings: result.warnings.clone(),
            }),
            error: operation
                .error
                .as_ref()
                .map(|error| ErrorView { code: error.code.clone(), message: error.message.clone() }),
            evidence: operation.evidence.iter().map(EvidencePointerView::from).collect(),
        }
    }
}
