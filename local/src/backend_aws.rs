//! `--backend aws`: the table, the queues and the event bus of AWS, or of what `AWS_ENDPOINT_URL` names,
//! through the adapters that run in Lambda. All are made if they are missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use app::ports::{PortError, Queue, Table};
use async_trait::async_trait;
use aws::{DynamoTable, EventBridgeEvents, SqsQueues};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use domain::Timestamp;
use local_state::Documents;

use crate::backend::{Backend, TABLE_NAME};
use crate::error::StackError;
use crate::queues::{MAX_RECEIVES, Received, Source};
use crate::stream::TableStream;

/// SQS' longest poll would outlast the SDK's patience with one attempt; this one does not.
const POLL_SECS: i32 = 4;

/// Opens the table, the queues and the bus; how far the table's stream was read is kept in `documents`.
pub(crate) async fn open(documents: &Documents) -> Result<Backend, StackError> {
    let config = aws::sdk_config().await;
    let dynamo = aws_sdk_dynamodb::Client::new(&config);
    aws::create_table(&dynamo, TABLE_NAME).await?;
    let table: Arc<dyn Table> = Arc::new(DynamoTable::new(dynamo, TABLE_NAME));
    let client = Client::new(&config);
    let mut urls = BTreeMap::new();
    for queue in Queue::ALL {
        urls.insert(queue, create(&client, queue).await?);
    }
    let queues = Arc::new(SqsQueues::new(client.clone(), urls.clone()));
    let streams = aws_sdk_dynamodbstreams::Client::new(&config);
    let stream = Arc::new(TableStream::new(streams, TABLE_NAME, documents.clone(), None));
    let events = Arc::new(bus(aws_sdk_eventbridge::Client::new(&config), &client).await?);
    Ok(Backend { table, queues, source: Arc::new(SqsSource { client, urls }), stream, events, embedded: None })
}

async fn bus(client: aws_sdk_eventbridge::Client, queues: &Client) -> Result<EventBridgeEvents, StackError> {
    match client.create_event_bus().name(TABLE_NAME).send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_already_exists_exception()) => {}
        Err(error) => return Err(failed("events.CreateEventBus", &error).into()),
    }
    let dead_letters = make(queues, &format!("{TABLE_NAME}-events-dlq"), HashMap::new()).await?;
    Ok(EventBridgeEvents::new(client, TABLE_NAME, queues.clone(), dead_letters))
}

async fn create(client: &Client, queue: Queue) -> Result<String, StackError> {
    let suffix = if queue.is_fifo() { ".fifo" } else { "" };
    let kind = || queue.is_fifo().then(|| (QueueAttributeName::FifoQueue, "true".to_owned()));
    let dead_name = format!("{TABLE_NAME}-{}-dlq{suffix}", queue.name());
    let dead = make(client, &dead_name, kind().into_iter().collect()).await?;
    let arn = QueueAttributeName::QueueArn;
    let attributes = client
        .get_queue_attributes()
        .queue_url(&dead)
        .attribute_names(arn.clone())
        .send()
        .await
        .map_err(|e| failed("sqs.GetQueueAttributes", &e))?;
    let dead_arn = attributes.attributes().and_then(|all| all.get(&arn)).cloned().unwrap_or_default();
    let redrive = serde_json::json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES});
    let mut attributes: HashMap<_, _> = kind().into_iter().collect();
    attributes.insert(QueueAttributeName::RedrivePolicy, redrive.to_string());
    make(client, &format!("{TABLE_NAME}-{}{suffix}", queue.name()), attributes).await
}

/// Makes a queue, unless it is there as it should be.
async fn make(
    client: &Client,
    name: &str,
    attributes: HashMap<QueueAttributeName, String>,
) -> Result<String, StackError> {
    let made = client
        .create_queue()
        .queue_name(name)
        .set_attributes((!attributes.is_empty()).then_some(attributes))
        .send()
        .await
        .map_err(|e| failed("sqs.CreateQueue", &e))?;
    made.queue_url.ok_or_else(|| PortError::new("sqs.CreateQueue", "no address in the answer").into())
}

/// What Lambda's event source mapping does: long polls.
struct SqsSource {
    client: Client,
    urls: BTreeMap<Queue, String>,
}

impl SqsSource {
    fn url(&self, queue: Queue) -> Option<String> {
        self.urls.get(&queue).cloned()
    }
}

#[async_trait]
impl Source for SqsSource {
    async fn receive(&self, queue: Queue, max: u32, visibility: Duration) -> Result<Vec<Received>, PortError> {
        let answer = self
            .client
            .receive_message()
            .set_queue_url(self.url(queue))
            .max_number_of_messages(i32::try_from(max).unwrap_or(10).clamp(1, 10))
            .visibility_timeout(seconds(visibility))
            .wait_time_seconds(POLL_SECS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|e| failed("sqs.ReceiveMessage", &e))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(received).collect())
    }

    async fn delete(&self, queue: Queue, receipt: &str) -> Result<(), PortError> {
        let request = self.client.delete_message().set_queue_url(self.url(queue)).receipt_handle(receipt);
        request.send().await.map(drop).map_err(|e| failed("sqs.DeleteMessage", &e))
    }

    async fn release(&self, queue: Queue, receipt: &str, delay: Duration) -> Result<(), PortError> {
        let request = self.client.change_message_visibility().set_queue_url(self.url(queue));
        let request = request.receipt_handle(receipt).visibility_timeout(seconds(delay));
        request.send().await.map(drop).map_err(|e| failed("sqs.ChangeMessageVisibility", &e))
    }
}

fn received(message: Message) -> Received {
    use MessageSystemAttributeName as Name;
    let attributes = message.attributes.unwrap_or_default();
    let number = |name: Name| attributes.get(&name).and_then(|value| value.parse::<i64>().ok());
    Received {
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        group: attributes.get(&Name::MessageGroupId).cloned(),
        deduplication_id: attributes.get(&Name::MessageDeduplicationId).cloned(),
        sent_at: number(Name::SentTimestamp).and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default(),
        sequence: number(Name::SequenceNumber).unwrap_or_default(),
        receives: number(Name::ApproximateReceiveCount).and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn failed(operation: &'static str, error: &(dyn std::error::Error + 'static)) -> PortError {
    PortError::new(operation, DisplayErrorContext(error).to_string())
}
