//! The bus on which everything that happened is told to others: EventBridge.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::error::PortError;

/// An event in the JSON form of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CloudEvent {
    /// The version of `CloudEvents`.
    pub specversion: &'static str,
    /// The same for every delivery of the same event; unique for its source.
    pub id: String,
    /// Who tells it.
    pub source: &'static str,
    /// Its type, such as `worker.status_changed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The worker it happened to.
    pub subject: String,
    /// When it happened, RFC 3339 in UTC to the millisecond.
    pub time: String,
    /// Its number for this worker, from 1, without gaps, with leading zeros so that it sorts as text:
    /// the [sequence extension](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/sequence.md).
    pub sequence: String,
    /// What `data` is.
    pub datacontenttype: &'static str,
    /// Who caused it, and what changed.
    pub data: Value,
}

/// What became of an event.
#[derive(Debug)]
pub enum Publication {
    /// The bus has it.
    Published,
    /// The bus will never take it.
    Refused(PortError),
    /// The bus did not take it, or was not asked because an earlier one failed; it may later.
    Failed(PortError),
}

/// The bus.
#[async_trait]
pub trait Events: Send + Sync {
    /// Publishes the events in their order: what became of each, in the same order. After the first batch
    /// with a failure no further one is sent.
    async fn publish(&self, events: &[CloudEvent]) -> Vec<Publication>;

    /// Keeps for an operator what can never be published, and why.
    async fn set_aside(&self, record: &Value, why: &str) -> Result<(), PortError>;
}
