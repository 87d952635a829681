//! The events of EventBridge and SQS, as Lambda gets them.

use std::collections::BTreeSet;

use app::ports::Queue;
use domain::Timestamp;
use serde_json::{Value, json};

use crate::queues::Received;

const REGION: &str = "us-east-1";

/// A schedule fired.
pub(super) fn scheduled(name: &str, account: &str, id: &str, now: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{account}:rule/{name}")],
        "detail": {},
    })
}

/// A batch of messages.
pub(super) fn batch(queue: Queue, account: &str, messages: &[Received], now: Timestamp) -> Value {
    let suffix = if queue.is_fifo() { ".fifo" } else { "" };
    let arn = format!("arn:aws:sqs:{REGION}:{account}:{}{suffix}", queue.name());
    let records: Vec<_> = messages
        .iter()
        .map(|message| {
            let mut attributes = json!({
                "ApproximateReceiveCount": message.receives.to_string(),
                "SentTimestamp": message.sent_at.as_millisecond().to_string(),
                "SenderId": account,
                "ApproximateFirstReceiveTimestamp": now.as_millisecond().to_string(),
            });
            if let Some(group) = &message.group {
                attributes["MessageGroupId"] = json!(group);
                attributes["MessageDeduplicationId"] = json!(message.deduplication_id.as_deref().unwrap_or_default());
                attributes["SequenceNumber"] = json!(format!("{:020}", message.sequence));
            }
            json!({
                "messageId": message.id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": attributes,
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": REGION,
            })
        })
        .collect();
    json!({"Records": records})
}

/// The messages of a batch that are not done, by its answer. One that names a message which was not
/// in the batch is not understood: then, as in Lambda, nothing is done.
pub(super) fn failures<'a>(answer: &Value, messages: &'a [Received]) -> BTreeSet<&'a str> {
    let failed = answer.get("batchItemFailures").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let known = |item: &Value| {
        let id = item.get("itemIdentifier").and_then(Value::as_str);
        messages.iter().map(|message| message.id.as_str()).find(|known| Some(*known) == id)
    };
    let named: Option<BTreeSet<_>> = failed.iter().map(known).collect();
    named.unwrap_or_else(|| messages.iter().map(|message| message.id.as_str()).collect())
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::eventbridge::EventBridgeEvent;
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    fn message(id: &str) -> Received {
        Received {
            id: id.into(),
            receipt: format!("receipt-{id}"),
            body: "{}".into(),
            group: Some("wkr-1".into()),
            deduplication_id: Some("d".into()),
            sent_at: "2026-11-20T10:00:00Z".parse().unwrap(),
            sequence: 7,
            receives: 2,
        }
    }

    #[test]
    fn the_events_are_what_the_lambda_runtime_reads() {
        let now = "2026-11-20T10:00:01.5Z".parse().unwrap();
        let read: SqsEvent = serde_json::from_value(batch(Queue::Power, "123456789012", &[message("a")], now)).unwrap();
        let record = &read.records[0];
        assert_eq!((record.message_id.as_deref(), record.body.as_deref()), (Some("a"), Some("{}")));
        assert_eq!(
            (record.attributes["ApproximateReceiveCount"].as_str(), record.attributes["MessageGroupId"].as_str()),
            ("2", "wkr-1")
        );
        assert_eq!(record.event_source_arn.as_deref(), Some("arn:aws:sqs:us-east-1:123456789012:power.fifo"));

        let event = scheduled("MetricsCollectionSchedule", "123456789012", "id", now);
        assert_eq!(event["time"], "2026-11-20T10:00:01Z");
        let read: EventBridgeEvent = serde_json::from_value(event).unwrap();
        assert_eq!((read.detail_type.as_str(), read.source.as_str()), ("Scheduled Event", "aws.events"));
    }

    #[test]
    fn only_the_messages_named_are_not_done_and_an_answer_that_names_others_does_nothing() {
        let messages = [message("a"), message("b")];
        let failed = |answer: Value| failures(&answer, &messages).into_iter().collect::<Vec<_>>();
        assert!(failed(json!(null)).is_empty());
        assert!(failed(json!({"batchItemFailures": []})).is_empty());
        assert_eq!(failed(json!({"batchItemFailures": [{"itemIdentifier": "b"}]})), ["b"]);
        assert_eq!(failed(json!({"batchItemFailures": [{"itemIdentifier": "other"}]})), ["a", "b"]);
        assert_eq!(failed(json!({"batchItemFailures": [{"itemIdentifier": ""}]})), ["a", "b"]);
    }
}
