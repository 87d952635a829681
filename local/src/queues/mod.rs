//! The queues, embedded: what SQS promises, in one SQLite table.
//!
//! A send that returned survives `kill -9`; a message in flight when the process died is visible
//! again at the next start. Visibility runs on machine time, as it does in AWS.

mod store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::ports::{Clock, Outgoing, PortError, Queue, Queues, Random};
use async_trait::async_trait;
use domain::Timestamp;
use local_state::{Documents, StateError};
use serde::Serialize;
use tokio::sync::Notify;

/// How often a message is delivered before it goes to the dead letters.
pub(crate) const MAX_RECEIVES: u32 = 5;
/// The largest message, as SQS has it.
const MAX_BYTES: usize = 1024 * 1024;
/// How soon a message whose delay ended is seen, at the latest.
const POLL: Duration = Duration::from_millis(50);

/// A message as a consumer gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// Its id.
    pub(crate) id: String,
    /// By which it is deleted or returned, until it is delivered again.
    pub(crate) receipt: String,
    /// The body.
    pub(crate) body: String,
    /// Its FIFO group.
    pub(crate) group: Option<String>,
    /// Its deduplication id.
    pub(crate) deduplication_id: Option<String>,
    /// When it was sent.
    pub(crate) sent_at: Timestamp,
    /// Its place in the queue.
    pub(crate) sequence: i64,
    /// How often it has been delivered, this time included.
    pub(crate) receives: u32,
}

/// Where a consumer's messages come from.
#[async_trait]
pub(crate) trait Source: Send + Sync {
    /// At most `max` messages, invisible to others for `visibility`; waits a while for the first.
    async fn receive(&self, queue: Queue, max: u32, visibility: Duration) -> Result<Vec<Received>, PortError>;

    /// The message is done.
    async fn delete(&self, queue: Queue, receipt: &str) -> Result<(), PortError>;

    /// The message is not done: it is visible again after `delay`.
    async fn release(&self, queue: Queue, receipt: &str, delay: Duration) -> Result<(), PortError>;

    /// Messages ready to be delivered that nobody has taken yet, where that can be told.
    fn waiting(&self, _queue: Queue) -> u64 {
        0
    }
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Depth {
    /// Ready to be delivered.
    pub(crate) visible: u64,
    /// Delivered and not done.
    pub(crate) in_flight: u64,
    /// Given back, to be tried again later.
    pub(crate) delayed: u64,
    /// Given up after too many tries.
    pub(crate) dead: u64,
}

/// The queues. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DurableQueues(Arc<Inner>);

struct Inner {
    documents: Documents,
    machine: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    arrived: BTreeMap<Queue, Notify>,
}

impl DurableQueues {
    /// Opens them; what was in flight is visible again.
    ///
    /// # Errors
    /// The file cannot be prepared.
    pub(crate) fn open(
        documents: Documents,
        machine: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StateError> {
        store::prepare(&documents.connection())?;
        let arrived = Queue::ALL.into_iter().map(|queue| (queue, Notify::new())).collect();
        Ok(Self(Arc::new(Inner { documents, machine, random, arrived })))
    }

    /// How full each queue is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn depths(&self) -> Result<BTreeMap<&'static str, Depth>, PortError> {
        let connection = self.0.documents.connection();
        let now = self.now();
        let read = |queue: Queue| Ok((queue.name(), store::depth(&connection, queue, now)?));
        Queue::ALL
            .into_iter()
            .map(read)
            .collect::<Result<_, rusqlite::Error>>()
            .map_err(|e| failed("sqs.GetQueueAttributes", &e))
    }

    /// What is visible now, without waiting.
    fn take(&self, queue: Queue, max: u32, visibility: Duration) -> Result<Vec<Received>, PortError> {
        let until = self.now().saturating_add(i64::try_from(visibility.as_millis()).unwrap_or(i64::MAX));
        let token = || uuid(self.0.random.next());
        store::receive(&mut self.0.documents.connection(), queue, max, (self.now(), until), token)
            .map_err(|e| failed("sqs.ReceiveMessage", &e))
    }

    fn now(&self) -> i64 {
        self.0.machine.now().as_millisecond()
    }

    fn wake(&self, queue: Queue) {
        if let Some(arrived) = self.0.arrived.get(&queue) {
            arrived.notify_one();
        }
    }
}

#[async_trait]
impl Queues for DurableQueues {
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError> {
        for message in &messages {
            if message.body.is_empty() || message.body.len() > MAX_BYTES {
                return Err(PortError::new("sqs.SendMessageBatch", "a body must have 1 byte to 1 MiB"));
            }
            if queue.is_fifo() && message.group.is_none() {
                return Err(PortError::new("sqs.SendMessageBatch", "a message to a FIFO queue needs a group"));
            }
        }
        let id = || uuid(self.0.random.next());
        store::send(&mut self.0.documents.connection(), queue, &messages, self.now(), id)
            .map_err(|e| failed("sqs.SendMessageBatch", &e))?;
        self.wake(queue);
        Ok(())
    }
}

#[async_trait]
impl Source for DurableQueues {
    fn waiting(&self, queue: Queue) -> u64 {
        self.depths().ok().and_then(|depths| depths.get(queue.name()).map(|depth| depth.visible)).unwrap_or(0)
    }

    async fn receive(&self, queue: Queue, max: u32, visibility: Duration) -> Result<Vec<Received>, PortError> {
        let mut poll = tokio::time::interval(POLL);
        // Bounded like SQS' own long poll: a caller sees to other things now and then.
        for _ in 0..400 {
            poll.tick().await;
            let messages = self.take(queue, max, visibility)?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            if let Some(arrived) = self.0.arrived.get(&queue) {
                tokio::select! {
                    () = arrived.notified() => poll.reset_immediately(),
                    _ = poll.tick() => poll.reset_immediately(),
                }
            }
        }
        Ok(vec![])
    }

    async fn delete(&self, queue: Queue, receipt: &str) -> Result<(), PortError> {
        store::delete(&self.0.documents.connection(), receipt).map_err(|e| failed("sqs.DeleteMessage", &e))?;
        // The next one of its group may go now.
        self.wake(queue);
        Ok(())
    }

    async fn release(&self, queue: Queue, receipt: &str, delay: Duration) -> Result<(), PortError> {
        let visible_at = self.now().saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        store::release(&self.0.documents.connection(), receipt, visible_at)
            .map_err(|e| failed("sqs.ChangeMessageVisibility", &e))?;
        self.wake(queue);
        Ok(())
    }
}

/// Random bits in the form that AWS gives message ids.
pub(crate) fn uuid(random: u128) -> String {
    uuid::Builder::from_random_bytes(random.to_le_bytes()).into_uuid().to_string()
}

fn failed(operation: &'static str, error: &rusqlite::Error) -> PortError {
    PortError::new(operation, error.to_string())
}

#[cfg(test)]
mod tests;
