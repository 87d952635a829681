//! SQS batches: only the messages that are not done come back.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;

use app::AppError;
use app::message::Message;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt, StreamExt};
use serde_json::Value;

use crate::deadline::Deadline;
use crate::world::InvokeError;

/// Groups of one batch worked on at the same time.
const CONCURRENT: usize = 10;
/// The attribute that names a message's group. Source: SQS developer guide, "FIFO queue message identifiers".
const GROUP: &str = "MessageGroupId";

/// Runs `work` for each message, as [`Batch::each`] does.
pub(crate) async fn each<M, F, W>(event: Value, deadline: Deadline, work: W) -> Result<Value, InvokeError>
where
    M: Message,
    F: Future<Output = Result<(), AppError>>,
    W: Fn(M) -> F,
{
    Batch::read(event)?.each(deadline, work).await
}

/// A batch, read.
pub(crate) struct Batch<M> {
    /// Messages with their ids, in order, by group; one without a group is its own.
    groups: BTreeMap<String, Vec<(String, M)>>,
    /// The ids of those that cannot be read.
    unreadable: Vec<String>,
}

impl<M: Message> Batch<M> {
    /// Reads an event of a queue. What cannot be read comes back, and holds up nothing: no version of
    /// ours wrote it, so nothing waits for it.
    pub(crate) fn read(event: Value) -> Result<Self, InvokeError> {
        let event: SqsEvent = serde_json::from_value(event)?;
        let mut batch = Self { groups: BTreeMap::new(), unreadable: Vec::new() };
        for record in event.records {
            let id = record.message_id.clone().unwrap_or_default();
            match M::read(record.body.as_deref().unwrap_or_default()) {
                Ok(message) => batch.groups.entry(group(&record, &id)).or_default().push((id, message)),
                Err(error) => {
                    tracing::error!(message_id = id, why = describe(&error), "a message cannot be read");
                    batch.unreadable.push(id);
                }
            }
        }
        Ok(batch)
    }

    /// The messages that could be read.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &M> {
        self.groups.values().flatten().map(|(_, message)| message)
    }

    /// Runs `work` for each message: groups side by side, the messages of a group in order. One that
    /// fails, panics or is not done by the deadline comes back, and with it what follows in its group.
    pub(crate) async fn each<F, W>(self, deadline: Deadline, work: W) -> Result<Value, InvokeError>
    where
        F: Future<Output = Result<(), AppError>>,
        W: Fn(M) -> F,
    {
        let work = &work;
        let groups = self.groups.into_values().map(|messages| in_order(messages, deadline, work));
        let failed: Vec<_> = futures::stream::iter(groups).buffer_unordered(CONCURRENT).concat().await;
        answer(failed.into_iter().chain(self.unreadable))
    }

    /// All messages come back: not one could be begun in time.
    pub(crate) fn none_done(self) -> Result<Value, InvokeError> {
        tracing::error!("out of time before the first message; the batch is delivered again");
        let ids = self.groups.into_values().flatten().map(|(id, _)| id);
        answer(ids.chain(self.unreadable))
    }
}

/// Works on the messages of a group until one is not done; the ids of those that were not.
async fn in_order<M, F, W>(messages: Vec<(String, M)>, deadline: Deadline, work: &W) -> Vec<String>
where
    F: Future<Output = Result<(), AppError>>,
    W: Fn(M) -> F,
{
    let mut messages = messages.into_iter();
    while let Some((id, message)) = messages.next() {
        // The call itself may panic, not only the future it makes.
        let run = async { work(message).await };
        let why = match deadline.within(AssertUnwindSafe(run).catch_unwind()).await {
            Some(Ok(Ok(()))) => continue,
            Some(Ok(Err(error))) => describe(&error),
            Some(Err(_)) => "it panicked".into(),
            None => "the invocation's time is up".into(),
        };
        tracing::error!(message_id = id, why, "a message is not done; it is delivered again");
        return std::iter::once(id).chain(messages.map(|(id, _)| id)).collect();
    }
    Vec::new()
}

/// The partial batch answer.
fn answer(failed: impl Iterator<Item = String>) -> Result<Value, InvokeError> {
    let unique: BTreeSet<String> = failed.collect();
    let mut response = SqsBatchResponse::default();
    for id in unique {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    Ok(serde_json::to_value(response)?)
}

/// An error with its causes, for the log.
fn describe(error: &AppError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

fn group(record: &SqsMessage, id: &str) -> String {
    record.attributes.get(GROUP).cloned().unwrap_or_else(|| id.to_owned())
}

#[cfg(test)]
mod tests;
