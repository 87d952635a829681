//! Queues in memory that can refuse or lose what is sent to them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use app::ports::{Outgoing, PortError, Queue, Queues};
use async_trait::async_trait;

#[derive(Default)]
pub(super) struct Mailbox(Mutex<Post>);

#[derive(Default)]
struct Post {
    waiting: Vec<(Queue, String)>,
    /// Of messages to FIFO queues. They hold the time, so that none comes again after five minutes.
    deduplication_ids: BTreeSet<String>,
    refuse: u32,
    lose: u32,
}

impl Mailbox {
    /// The next `sends` are refused.
    pub(super) fn refuse_next(&self, sends: u32) {
        self.0.lock().unwrap().refuse = sends;
    }

    /// The next `sends` are taken, and never delivered.
    pub(super) fn lose_next(&self, sends: u32) {
        self.0.lock().unwrap().lose = sends;
    }

    /// What waits to be delivered.
    pub(super) fn take(&self) -> Vec<(Queue, String)> {
        std::mem::take(&mut self.0.lock().unwrap().waiting)
    }

    /// What failed, to be delivered again.
    pub(super) fn put_back(&self, messages: Vec<(Queue, String)>) {
        self.0.lock().unwrap().waiting.extend(messages);
    }
}

#[async_trait]
impl Queues for Mailbox {
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError> {
        let mut post = self.0.lock().unwrap();
        if messages.is_empty() {
            return Ok(());
        }
        if post.refuse > 0 {
            post.refuse -= 1;
            return Err(PortError::new("sqs.SendMessageBatch", "told to refuse"));
        }
        if post.lose > 0 {
            post.lose -= 1;
            return Ok(());
        }
        for message in messages {
            let id = message.deduplication_id.filter(|_| queue.is_fifo());
            if id.is_none_or(|id| post.deduplication_ids.insert(id)) {
                post.waiting.push((queue, message.body));
            }
        }
        Ok(())
    }
}
