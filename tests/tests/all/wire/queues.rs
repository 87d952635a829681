//! The queues on ministack: what senders and consumers rely on SQS for.

use std::collections::{BTreeMap, HashMap};

use app::ports::{Outgoing, Queue, Queues};
use aws::SqsQueues;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde_json::json;

use super::set_up;

/// How often a queue is asked at most for what must come; each time SQS waits a second for it.
const POLLS: usize = 30;

pub(super) fn client() -> Client {
    Client::new(&aws::sdk_config_for(&set_up("WIRE_MINISTACK_URL")))
}

/// A queue made for one test.
pub(super) struct TestQueue {
    client: Client,
    queue: Queue,
    pub(super) url: String,
}

impl TestQueue {
    pub(super) async fn new(queue: Queue, test: &str) -> Self {
        Self::with(queue, test, []).await
    }

    /// With further attributes.
    async fn with(queue: Queue, test: &str, more: impl IntoIterator<Item = (QueueAttributeName, String)>) -> Self {
        let client = client();
        // An emulator may outlive a run, where somebody tries things by hand.
        let suffix = if queue.is_fifo() { ".fifo" } else { "" };
        let name = format!("{test}-{}{suffix}", std::process::id());
        let fifo = queue.is_fifo().then(|| (QueueAttributeName::FifoQueue, "true".to_owned()));
        let attributes: HashMap<_, _> = more.into_iter().chain(fifo).collect();
        let made = client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
        Self { queue, url: made.queue_url.unwrap(), client }
    }

    pub(super) async fn arn(&self) -> String {
        let arn = QueueAttributeName::QueueArn;
        let answer =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(arn.clone()).send().await.unwrap();
        answer.attributes.unwrap()[&arn].clone()
    }

    pub(super) fn queues(&self) -> SqsQueues {
        SqsQueues::new(self.client.clone(), BTreeMap::from([(self.queue, self.url.clone())]))
    }

    async fn send(&self, messages: Vec<Outgoing>) {
        self.queues().send(self.queue, messages).await.unwrap();
    }

    /// What is there now, or comes within a second; at most ten.
    pub(super) async fn receive(&self) -> Vec<Message> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10).wait_time_seconds(1);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        call.send().await.unwrap().messages.unwrap_or_default()
    }

    async fn delete(&self, message: &Message) {
        let call = self.client.delete_message().queue_url(&self.url);
        call.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }

    /// The bodies of so many messages, each deleted when it came.
    pub(super) async fn take(&self, count: usize) -> Vec<String> {
        let mut bodies = Vec::new();
        for _ in 0..POLLS {
            for message in self.receive().await {
                self.delete(&message).await;
                bodies.push(message.body.unwrap());
            }
            if bodies.len() >= count {
                return bodies;
            }
        }
        panic!("{} of {count} messages came: {bodies:?}", bodies.len());
    }

    /// The next message, left undeleted, and how often it has been received.
    async fn next(&self) -> (String, String) {
        for _ in 0..POLLS {
            if let Some(message) = self.receive().await.pop() {
                let times = MessageSystemAttributeName::ApproximateReceiveCount;
                return (message.body.unwrap(), message.attributes.unwrap()[&times].clone());
            }
        }
        panic!("no message came");
    }
}

fn message(body: &str, group: &str, deduplication_id: &str) -> Outgoing {
    Outgoing { body: body.into(), group: Some(group.into()), deduplication_id: Some(deduplication_id.into()) }
}

fn numbered(count: usize, group: &str) -> Vec<Outgoing> {
    (0..count).map(|n| message(&format!("{group}{n:02}"), group, &format!("{group}-{n}"))).collect()
}

#[tokio::test]
async fn a_standard_queue_takes_more_than_a_batch_and_delivers_each_message() {
    let queue = TestQueue::new(Queue::Operations, "standard").await;
    let sent = numbered(23, "a");
    queue.send(sent.clone()).await;
    let mut bodies = queue.take(23).await;
    bodies.sort();
    assert_eq!(bodies, sent.into_iter().map(|one| one.body).collect::<Vec<_>>());
    assert!(queue.receive().await.is_empty());
}

#[tokio::test]
async fn a_fifo_queue_keeps_the_order_of_a_group_over_several_batches() {
    let queue = TestQueue::new(Queue::Power, "order").await;
    let (a, b) = (numbered(13, "a"), numbered(12, "b"));
    let mixed: Vec<_> = a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).chain([a[12].clone()]).collect();
    queue.send(mixed).await;
    let bodies = queue.take(25).await;
    for group in [a, b] {
        let of_group: Vec<_> = bodies.iter().filter(|body| group.iter().any(|sent| sent.body == **body)).collect();
        assert_eq!(of_group, group.iter().map(|one| &one.body).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_repeated_deduplication_id_is_dropped() {
    let queue = TestQueue::new(Queue::Power, "repeated").await;
    queue.send(vec![message("first", "g", "1")]).await;
    queue.send(vec![message("again", "g", "1"), message("second", "g", "2")]).await;
    assert_eq!(queue.take(2).await, ["first", "second"]);
    assert!(queue.receive().await.is_empty());
}

#[tokio::test]
async fn a_group_waits_for_its_message_under_way_and_others_do_not() {
    let queue = TestQueue::new(Queue::Power, "groups").await;
    queue.send(vec![message("a1", "a", "1")]).await;
    let under_way = queue.receive().await.pop().unwrap();
    queue.send(vec![message("a2", "a", "2"), message("b1", "b", "3")]).await;
    assert_eq!(queue.take(1).await, ["b1"]);
    assert!(queue.receive().await.is_empty());
    queue.delete(&under_way).await;
    assert_eq!(queue.take(1).await, ["a2"]);
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_again_and_ends_among_the_dead_letters() {
    for (queue, test) in [(Queue::Operations, "redrive"), (Queue::Power, "redrive-fifo")] {
        let dead = TestQueue::new(queue, &format!("{test}-dlq")).await;
        let redrive = json!({"deadLetterTargetArn": dead.arn().await, "maxReceiveCount": 2});
        let attributes = [
            (QueueAttributeName::RedrivePolicy, redrive.to_string()),
            (QueueAttributeName::VisibilityTimeout, "1".to_owned()),
        ];
        let alive = TestQueue::with(queue, test, attributes).await;
        alive.send(vec![message("poison", "g", "1")]).await;
        assert_eq!(alive.next().await, ("poison".to_owned(), "1".to_owned()));
        assert_eq!(alive.next().await, ("poison".to_owned(), "2".to_owned()));
        assert_eq!(dead_letter(&alive, &dead).await, "poison");
    }
}

/// What is moved to the dead letters; SQS does so when it would be received once more.
async fn dead_letter(alive: &TestQueue, dead: &TestQueue) -> String {
    for _ in 0..POLLS {
        assert!(alive.receive().await.is_empty());
        if let Some(message) = dead.receive().await.pop() {
            return message.body.unwrap();
        }
    }
    panic!("the dead letters stay empty");
}
