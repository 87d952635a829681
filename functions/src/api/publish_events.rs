//! publish-events: a batch of the table's stream.

use app::ports::PortError;
use app::store::EVENT_PREFIX;
use app::use_cases::publish_events::{StreamRecord, publish_events};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use serde_json::{Map, Value};

use crate::world::{InvokeError, World};

pub(crate) async fn run(world: &World, event: Value) -> Result<Value, InvokeError> {
    let bus = world.events.as_deref().ok_or(InvokeError::MissingPort("bus"))?;
    let Some(Value::Array(records)) = event.get("Records") else {
        return Err(InvokeError::Malformed("it has no Records".into()));
    };
    // The event source mapping filters already; what is no new event is none of our business.
    let records = records.iter().filter(|record| is_new_event(record)).map(read).collect::<Result<Vec<_>, _>>()?;
    let mut answer = DynamoDbEventResponse::default();
    if let Some(position) = publish_events(bus, &records).await {
        // Lambda delivers this record again, and all that follow it in the shard.
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(position);
        answer.batch_item_failures.push(failure);
    }
    Ok(serde_json::to_value(answer)?)
}

fn is_new_event(record: &Value) -> bool {
    let sort_key = record.pointer("/dynamodb/Keys/sk/S").and_then(Value::as_str);
    let of_event = sort_key.is_none_or(|key| key.starts_with(EVENT_PREFIX));
    of_event && record.get("eventName").is_none_or(|name| name == "INSERT")
}

/// One record; an item in it that cannot be read is the use case's to judge.
fn read(record: &Value) -> Result<StreamRecord, InvokeError> {
    let position = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str);
    let position = position.ok_or_else(|| InvokeError::Malformed("a record has no sequence number".into()))?;
    let attributes = record
        .pointer("/dynamodb/NewImage")
        .ok_or_else(|| PortError::new("stream record", "it has no NewImage"))
        .and_then(|image| attributes(image).map_err(|error| PortError::new("stream record", error.to_string())));
    Ok(StreamRecord { position: position.to_owned(), attributes, raw: record.clone() })
}

/// An item in DynamoDB's JSON as plain JSON.
fn attributes(image: &Value) -> Result<Map<String, Value>, Box<dyn std::error::Error>> {
    let item: serde_dynamo::Item = serde_json::from_value(image.clone())?;
    Ok(serde_dynamo::from_item(item)?)
}
