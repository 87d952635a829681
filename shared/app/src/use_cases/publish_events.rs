//! The table's stream to the bus: what was committed is told to others, at least once.

use domain::Actor;
use serde_json::{Map, Value, json};

use crate::ports::{CloudEvent, Events, PortError, Publication};
use crate::store::StoredEvent;

/// Who tells it, to whoever listens.
pub const SOURCE: &str = "cml-cloud-manager";

/// The stream's record of a new event item.
#[derive(Debug)]
pub struct StreamRecord {
    /// Where in the stream it is: its sequence number there.
    pub position: String,
    /// The item's attributes, if they could be read.
    pub attributes: Result<Map<String, Value>, PortError>,
    /// The record as it came, for an operator.
    pub raw: Value,
}

/// Publishes the events of a batch, oldest first. A record that can never be published is set aside and
/// holds up no other. The answer is the position of the first record to be delivered again, with all
/// that follow it; none when the batch is done.
pub async fn publish_events(bus: &dyn Events, records: &[StreamRecord]) -> Option<String> {
    let read: Vec<Result<CloudEvent, String>> = records.iter().map(cloud_event).collect();
    let events: Vec<CloudEvent> = read.iter().flatten().cloned().collect();
    let mut publications = bus.publish(&events).await.into_iter();
    for (record, read) in records.iter().zip(read) {
        let position = &record.position;
        let why = match read.map(|_| publications.next()) {
            Ok(Some(Publication::Published)) => continue,
            Ok(Some(Publication::Refused(error))) => error.to_string(),
            Err(unreadable) => unreadable,
            Ok(Some(Publication::Failed(error))) => {
                tracing::warn!(position, %error, "an event is not published yet; it is delivered again");
                return Some(position.clone());
            }
            Ok(None) => return Some(position.clone()),
        };
        tracing::error!(position, why, "an event can never be published; it is set aside");
        if let Err(error) = bus.set_aside(&record.raw, &why).await {
            tracing::error!(position, %error, "nor can it be set aside; it is delivered again");
            return Some(position.clone());
        }
    }
    None
}

fn cloud_event(record: &StreamRecord) -> Result<CloudEvent, String> {
    let attributes = record.attributes.as_ref().map_err(ToString::to_string)?;
    let event = StoredEvent::from_attributes(attributes.clone()).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        cause.unwrap_or_else(|| error.to_string())
    })?;
    let sequence = format!("{:012}", event.sequence);
    Ok(CloudEvent {
        specversion: "1.0",
        id: format!("{}-{sequence}", event.worker_id),
        source: SOURCE,
        kind: event.kind,
        subject: event.worker_id.to_string(),
        time: event.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        sequence,
        datacontenttype: "application/json",
        data: json!({ "actor": actor(&event.actor), "change": event.data }),
    })
}

/// As the API shows an actor.
fn actor(actor: &Actor) -> Value {
    let (kind, subject) = match actor {
        Actor::User { subject, .. } => ("user", Some(subject)),
        Actor::System(_) => ("system", None),
        Actor::Aws => ("aws", None),
    };
    json!({ "kind": kind, "subject": subject, "name": actor.to_string() })
}
