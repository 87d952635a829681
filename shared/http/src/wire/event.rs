//! An event as callers see it.

use app::store::StoredEvent;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{ActorView, time};

/// One thing that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its number for this worker, from 1, without gaps.
    pub sequence: u64,
    /// Its type, such as `worker.status_changed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: String,
    /// Whose.
    pub worker_id: String,
    /// Who caused it.
    pub actor: ActorView,
    /// What changed.
    pub data: Value,
}

/// A page of events, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventList {
    /// The events.
    pub items: Vec<EventView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl From<&StoredEvent> for EventView {
    fn from(event: &StoredEvent) -> Self {
        Self {
            sequence: event.sequence,
            kind: event.kind.clone(),
            at: time(event.at),
            worker_id: event.worker_id.to_string(),
            actor: ActorView::from(&event.actor),
            data: event.data.clone(),
        }
    }
}
