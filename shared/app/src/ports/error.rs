//! What adapters say when what they stand for failed.

/// A failure behind a port, for the log: what was done, and what was said.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct PortError {
    /// What was done: `dynamodb.Query`, `sqs.SendMessageBatch`.
    pub operation: &'static str,
    /// What was said.
    pub message: String,
}

impl PortError {
    /// A failure of `operation`.
    pub fn new(operation: &'static str, message: impl Into<String>) -> Self {
        Self { operation, message: message.into() }
    }
}
