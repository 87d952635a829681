//! SQS batches: every message stands alone, and only those that failed come back.

use std::collections::HashSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use app::AppError;
use app::message::Message;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt, StreamExt};
use serde_json::Value;

use crate::InvokeError;

/// Messages of one batch worked on at the same time.
const CONCURRENT: usize = 10;

/// Runs `work` for each message of a standard queue, side by side. A message that cannot be read,
/// fails or panics is reported as failed, and no other suffers for it.
pub(crate) async fn each<M, F, W>(event: Value, work: W) -> Result<Value, InvokeError>
where
    M: Message,
    F: Future<Output = Result<(), AppError>>,
    W: Fn(M) -> F,
{
    let event: SqsEvent = serde_json::from_value(event)?;
    let work = &work;
    let runs = event.records.into_iter().map(|record| async move {
        let run = async { work(read(&record)?).await };
        (id(&record), AssertUnwindSafe(run).catch_unwind().await)
    });
    let outcomes: Vec<_> = futures::stream::iter(runs).buffer_unordered(CONCURRENT).collect().await;
    let failed = outcomes.into_iter().filter_map(|(id, outcome)| {
        let why = match outcome {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => describe(&error),
            Err(_) => "it panicked".into(),
        };
        tracing::error!(message_id = id, why, "a message failed; it is delivered again");
        Some(id)
    });
    answer(failed.collect())
}

/// A FIFO batch, read.
pub(crate) struct Batch<M> {
    /// The messages with their ids, in order.
    pub(crate) messages: Vec<(String, M)>,
    /// The ids of those that cannot be read.
    pub(crate) unreadable: Vec<String>,
}

/// The messages of a FIFO batch.
pub(crate) fn read_all<M: Message>(event: Value) -> Result<Batch<M>, InvokeError> {
    let event: SqsEvent = serde_json::from_value(event)?;
    let mut batch = Batch { messages: Vec::new(), unreadable: Vec::new() };
    for record in &event.records {
        match read(record) {
            Ok(message) => batch.messages.push((id(record), message)),
            Err(error) => {
                tracing::error!(message_id = id(record), why = describe(&error), "a message cannot be read");
                batch.unreadable.push(id(record));
            }
        }
    }
    Ok(batch)
}

/// The partial batch answer.
pub(crate) fn answer(failed: Vec<String>) -> Result<Value, InvokeError> {
    let unique: HashSet<String> = failed.into_iter().collect();
    let mut response = SqsBatchResponse::default();
    for id in unique {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    Ok(serde_json::to_value(response)?)
}

/// An error with its causes, for the log.
pub(crate) fn describe(error: &AppError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

fn read<M: Message>(record: &SqsMessage) -> Result<M, AppError> {
    M::read(record.body.as_deref().unwrap_or_default())
}

fn id(record: &SqsMessage) -> String {
    record.message_id.clone().unwrap_or_default()
}
