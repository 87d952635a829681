//! A record of the stream, as Lambda delivers it.

use app::ports::PortError;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The SDK's record as the JSON that Lambda makes of it.
pub(super) fn json(record: Record, stream_arn: &str) -> Result<Value, PortError> {
    let change = record.dynamodb.ok_or_else(|| unreadable("it has no change"))?;
    let sequence_number = change.sequence_number.ok_or_else(|| unreadable("it has no sequence number"))?;
    let mut body = json!({
        "SequenceNumber": sequence_number,
        "SizeBytes": change.size_bytes.unwrap_or_default(),
        "StreamViewType": change.stream_view_type.as_ref().map(|kind| kind.as_str()),
        "ApproximateCreationDateTime": change.approximate_creation_date_time.map(|at| at.as_secs_f64()),
    });
    for (name, item) in [("Keys", change.keys), ("NewImage", change.new_image), ("OldImage", change.old_image)] {
        if let Some(item) = item {
            body[name] = dynamodb_json(item)?;
        }
    }
    Ok(json!({
        "eventID": record.event_id,
        "eventName": record.event_name.as_ref().map(|name| name.as_str()),
        "eventVersion": record.event_version,
        "eventSource": record.event_source,
        "awsRegion": record.aws_region,
        "eventSourceARN": stream_arn,
        "dynamodb": body,
    }))
}

fn dynamodb_json(item: HashMap<String, AttributeValue>) -> Result<Value, PortError> {
    serde_json::to_value(serde_dynamo::Item::from(item)).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> PortError {
    PortError::new("dynamodb.GetRecords", format!("a record cannot be read: {why}"))
}
