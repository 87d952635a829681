//! Evidence of failures as callers see it.

use domain::evidence::{Cause, Evidence, EvidencePointer};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// A text that was kept of a failure.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Evidence)]
pub struct EvidenceView {
    /// Its id.
    pub id: String,
    /// The worker it is about.
    pub worker_id: String,
    /// `console_output` (of the instance), `cml_diagnostics` or `node_console`.
    pub kind: &'static str,
    /// What failed.
    pub cause: CauseView,
    /// The lab it is about.
    pub lab_id: Option<String>,
    /// The label of the node it is about.
    pub node: Option<String>,
    /// When it was taken.
    pub taken_at: String,
    /// From when on it is gone.
    pub expires_at: String,
    /// How large it is, in bytes.
    pub size_bytes: u64,
    /// It was too large: its beginning was cut off.
    pub truncated: bool,
}

/// What failed: an operation, or a worker on its own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CauseView {
    /// The operation, if it was one.
    pub operation_id: Option<String>,
    /// The code of its error.
    pub error_code: Option<String>,
    /// How the worker differs from what is wanted, such as `host_failure`, if it was no operation.
    pub drift: Option<&'static str>,
    /// Since when it does.
    pub since: Option<String>,
}

/// A page of evidence, the newest failure first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceList {
    /// The evidence.
    pub items: Vec<EvidenceView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

/// Where evidence is that was kept of a failure; managers may read it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EvidencePointer)]
pub struct EvidencePointerView {
    /// Its id.
    pub id: String,
    /// `console_output` (of the instance), `cml_diagnostics` or `node_console`.
    pub kind: &'static str,
    /// When it was taken.
    pub taken_at: String,
    /// From when on it is gone.
    pub expires_at: String,
    /// How large it is, in bytes.
    pub size_bytes: u64,
}

impl From<&Evidence> for EvidenceView {
    fn from(evidence: &Evidence) -> Self {
        Self {
            id: evidence.id.to_string(),
            worker_id: evidence.worker_id.to_string(),
            kind: evidence.kind.name(),
            cause: CauseView::from(&evidence.cause),
            lab_id: evidence.lab_id.as_ref().map(ToString::to_string),
            node: evidence.node.clone(),
            taken_at: time(evidence.taken_at),
            expires_at: time(evidence.expires_at),
            size_bytes: evidence.size_bytes,
            truncated: evidence.truncated,
        }
    }
}

impl From<&Cause> for CauseView {
    fn from(cause: &Cause) -> Self {
        let (mut operation_id, mut error_code, mut drift, mut began) = (None, None, None, None);
        match cause {
            Cause::Operation { id, code } => (operation_id, error_code) = (Some(id.to_string()), Some(code.clone())),
            Cause::Drift { kind, since } => (drift, began) = (Some(kind.name()), Some(time(*since))),
        }
        Self { operation_id, error_code, drift, since: began }
    }
}

impl From<&EvidencePointer> for EvidencePointerView {
    fn from(pointer: &EvidencePointer) -> Self {
        Self {
            id: pointer.id.to_string(),
            kind: pointer.kind.name(),
            taken_at: time(pointer.taken_at),
            expires_at: time(pointer.expires_at),
            size_bytes: pointer.size_bytes,
        }
    }
}
