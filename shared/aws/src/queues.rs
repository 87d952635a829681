//! The queues on SQS.

use std::collections::BTreeMap;

use app::ports::{Outgoing, PortError, Queue, Queues};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use futures::{StreamExt, stream};

use crate::error::port_error;

const OPERATION: &str = "sqs.SendMessageBatch";

/// SQS takes ten messages at once.
const MOST_MESSAGES: usize = 10;
/// The body bytes of one batch. SQS counts a batch as a whole, and some stand-ins still at its former
/// 256 KiB; the rest is room for what else they count.
const MOST_BYTES: usize = 240 * 1024;
/// How often the messages of a batch that SQS failed to take are sent in all.
const MOST_ATTEMPTS: usize = 3;
/// Batches on their way at once.
const CONCURRENCY: usize = 4;

/// The queues on SQS.
#[derive(Clone, Debug)]
pub struct SqsQueues {
    client: Client,
    urls: BTreeMap<Queue, String>,
}

impl SqsQueues {
    /// The queues at those addresses. A function needs only those it sends to.
    #[must_use]
    pub fn new(client: Client, urls: BTreeMap<Queue, String>) -> Self {
        Self { client, urls }
    }

    async fn send_batch(&self, queue: Queue, url: &str, batch: Vec<Outgoing>) -> Result<(), PortError> {
        let mut left = batch;
        let mut refusal = Ok(());
        for attempt in 1..=MOST_ATTEMPTS {
            let entries = entries(queue, &left).map_err(|error| port_error(OPERATION, error))?;
            let request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| port_error(OPERATION, error))?;
            let rest = rest(left, &answer.failed);
            refusal = refusal.and(rest.refusal);
            left = rest.again;
            if left.is_empty() {
                return refusal;
            }
            tracing::warn!(queue = queue.name(), attempt, left = left.len(), "SQS did not take all messages");
        }
        Err(PortError::new(OPERATION, format!("{} messages failed {MOST_ATTEMPTS} times", left.len())))
    }
}

#[async_trait]
impl Queues for SqsQueues {
    /// A batch that fails does not keep the others back. The first error is returned.
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError> {
        let Some(url) = self.urls.get(&queue) else {
            return Err(PortError::new(OPERATION, format!("the queue {} has no address here", queue.name())));
        };
        let batches = batches(messages)?;
        // One at a time where order counts.
        let concurrency = if queue.is_fifo() { 1 } else { CONCURRENCY };
        let sends = batches.into_iter().map(|batch| self.send_batch(queue, url, batch));
        let results: Vec<_> = stream::iter(sends).buffered(concurrency).collect().await;
        results.into_iter().collect()
    }
}

/// What an answer leaves of a batch.
#[derive(Debug)]
struct Rest {
    /// SQS failed to take these; they may be sent again.
    again: Vec<Outgoing>,
    /// SQS will never take some of the others.
    refusal: Result<(), PortError>,
}

/// Splits messages into batches that SQS takes, in order.
fn batches(messages: Vec<Outgoing>) -> Result<Vec<Vec<Outgoing>>, PortError> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = message.body.len();
        if size > MOST_BYTES {
            return Err(PortError::new(OPERATION, format!("a message of {size} bytes is too large")));
        }
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST_MESSAGES && bytes + size <= MOST_BYTES => {
                batch.push(message);
                bytes += size;
            }
            _ => {
                batches.push(vec![message]);
                bytes = size;
            }
        }
    }
    Ok(batches)
}

/// The entries of a batch; an entry's id is its position.
fn entries(
    queue: Queue,
    batch: &[Outgoing],
) -> Result<Vec<SendMessageBatchRequestEntry>, aws_sdk_sqs::error::BuildError> {
    let entry = |(at, message): (usize, &Outgoing)| {
        let entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(&message.body);
        // A standard queue refuses them.
        let entry = if queue.is_fifo() {
            entry
                .set_message_group_id(message.group.clone())
                .set_message_deduplication_id(message.deduplication_id.clone())
        } else {
            entry
        };
        entry.build()
    };
    batch.iter().enumerate().map(entry).collect()
}

/// What is left of a batch after an answer that names those entries as failed.
fn rest(batch: Vec<Outgoing>, failed: &[BatchResultErrorEntry]) -> Rest {
    let mut rest = Rest { again: Vec::new(), refusal: Ok(()) };
    for (at, message) in batch.into_iter().enumerate() {
        match failed.iter().find(|entry| entry.id() == at.to_string()) {
            None => {}
            Some(entry) if entry.sender_fault() => {
                let words = format!("{}: {}", entry.code(), entry.message().unwrap_or_default());
                rest.refusal = rest.refusal.and(Err(PortError::new(OPERATION, words)));
            }
            Some(_) => rest.again.push(message),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: impl Into<String>) -> Outgoing {
        Outgoing { body: body.into(), group: Some("g".into()), deduplication_id: Some("d".into()) }
    }

    fn failed(id: &str, sender_fault: bool) -> BatchResultErrorEntry {
        BatchResultErrorEntry::builder()
            .id(id)
            .sender_fault(sender_fault)
            .code("Code")
            .message("words")
            .build()
            .unwrap()
    }

    #[test]
    fn a_batch_has_at_most_ten_messages_in_their_order() {
        let messages: Vec<_> = (0..25).map(|n| message(n.to_string())).collect();
        let batches = batches(messages.clone()).unwrap();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(batches.concat(), messages);
    }

    #[test]
    fn a_batch_has_at_most_its_bytes_and_no_message_has_more() {
        let messages = vec![message("a".repeat(MOST_BYTES - 1)), message("b"), message("c")];
        assert_eq!(batches(messages).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert!(batches(vec![message("a".repeat(MOST_BYTES + 1))]).is_err());
        assert!(batches(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn group_and_deduplication_id_go_to_fifo_queues_only() {
        let fifo = entries(Queue::Power, &[message("a")]).unwrap();
        assert_eq!((fifo[0].message_group_id(), fifo[0].message_deduplication_id()), (Some("g"), Some("d")));
        let standard = entries(Queue::Operations, &[message("a")]).unwrap();
        assert_eq!((standard[0].message_group_id(), standard[0].message_deduplication_id()), (None, None));
    }

    #[test]
    fn only_what_sqs_failed_to_take_is_sent_again_and_what_it_refused_is_told() {
        let batch = vec![message("taken"), message("refused"), message("failed")];
        let rest = rest(batch, &[failed("1", true), failed("2", false)]);
        assert_eq!(rest.again, [message("failed")]);
        assert_eq!(rest.refusal.unwrap_err().message, "Code: words");
    }
}
