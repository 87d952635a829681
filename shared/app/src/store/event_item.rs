//! The stored form of a worker's events.

use domain::worker::{Change, WorkerEvent};
use domain::{Timestamp, WorkerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::actor::ActorRecord;
use super::keys;
use super::record;
use crate::error::AppError;
use crate::ports::{Item, PortError};
use domain::Actor;

/// One stored event, as the lists show it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its number for this worker, from 1, without gaps.
    pub sequence: u64,
    /// Its type, such as `worker.status_changed`.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub worker_id: WorkerId,
    /// Who caused it.
    pub actor: Actor,
    /// What changed.
    pub data: Value,
}

#[derive(Serialize, Deserialize)]
struct EventRecord {
    schema: u32,
    sequence: u64,
    #[serde(rename = "type")]
    kind: String,
    at: Timestamp,
    worker_id: String,
    actor: ActorRecord,
    data: Value,
}

/// The items of a change's events.
pub(super) fn event_items(change: &Change) -> Vec<Item> {
    let events = change.expected_version + 1..;
    events.zip(&change.events).map(|(sequence, event)| event_item(change, sequence, event)).collect()
}

fn event_item(change: &Change, sequence: u64, event: &WorkerEvent) -> Item {
    let worker_id = change.worker.id;
    let record = EventRecord {
        schema: 1,
        sequence,
        kind: event.kind().into(),
        at: change.at,
        worker_id: worker_id.to_string(),
        actor: ActorRecord::from(&change.actor),
        data: event_data(event),
    };
    let key = keys::event(worker_id, sequence);
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((
            format!("EVENTS#{}#{}", change.at.strftime("%Y-%m-%d"), keys::shard(&worker_id.to_string())),
            // Sortable over all workers, and unique: the time, then whose and which.
            format!("{:013}#{worker_id}#{sequence:012}", change.at.as_millisecond()),
        )),
        gsi2: None,
        version: None,
        expires_at: None,
        attributes: record::attributes(&record),
    }
}

pub(super) fn read_event(item: &Item) -> Result<StoredEvent, AppError> {
    event_of(record::read(item)?)
}

impl StoredEvent {
    /// The event that an item's attributes tell, with or without its keys: an item as the stream shows it.
    ///
    /// # Errors
    /// They are not those of an event.
    pub fn from_attributes(attributes: Map<String, Value>) -> Result<Self, AppError> {
        let record = serde_json::from_value(attributes.into());
        event_of(record.map_err(|error| AppError::Corrupt(PortError::new("stream record", error.to_string())))?)
    }
}

fn event_of(record: EventRecord) -> Result<StoredEvent, AppError> {
    Ok(StoredEvent {
        sequence: record.sequence,
        kind: record.kind,
        at: record.at,
        worker_id: record.worker_id.parse().map_err(record::bad_field)?,
        actor: record.actor.into(),
        data: record.data,
    })
}

/// What changed, for people and programs. No secret is in any event.
fn event_data(event: &WorkerEvent) -> Value {
    match event {
        WorkerEvent::Created
        | WorkerEvent::InstanceMissing
        | WorkerEvent::InstanceSeenAgain
        | WorkerEvent::CertificateForgotten => json!({}),
        WorkerEvent::Imported(facts) | WorkerEvent::InstanceAttached(facts) | WorkerEvent::InstanceChanged(facts) => {
            json!({
                "instance_id": facts.id.as_str(), "instance_type": facts.instance_type, "public_ip": facts.public_ip,
                "private_ip": facts.private_ip, "detailed_monitoring": facts.detailed_monitoring,
            })
        }
        WorkerEvent::LaunchIntended { number, ami_id, offer } => json!({
            "launch_number": number, "ami_id": ami_id, "instance_type": offer.instance_type,
            "subnet_id": offer.subnet_id,
        }),
        WorkerEvent::LaunchRefused { number, detail } => json!({ "launch_number": number, "detail": detail }),
        WorkerEvent::FallbackChosen { offer, reason } => {
            json!({ "instance_type": offer.instance_type, "subnet_id": offer.subnet_id, "reason": reason })
        }
        WorkerEvent::StatusChanged { from, to, detail, reason, .. } => {
            json!({ "from": from.name(), "to": to.name(), "detail": detail, "reason": reason })
        }
        WorkerEvent::DesiredChanged { from, to, reason } => {
            json!({ "from": from.name(), "to": to.name(), "reason": reason })
        }
        WorkerEvent::Drifted { kind, was, is } => json!({ "name": kind.name(), "was": was, "is": is }),
        WorkerEvent::Reconciled { action, reason } => json!({ "action": action.name(), "reason": reason }),
        WorkerEvent::WishUnfulfilled { reason } => json!({ "reason": reason }),
        WorkerEvent::ServiceChanged { from, to } => json!({ "from": from.name(), "to": to.name() }),
        WorkerEvent::CertificatePinned { sha256 } => json!({ "sha256": sha256 }),
        WorkerEvent::Renamed { name } => json!({ "name": name }),
        WorkerEvent::OwnerChanged { owner } => json!({ "owner": owner }),
        WorkerEvent::TagsChanged { tags } => json!({ "tags": tags }),
        WorkerEvent::IdlePolicyChanged(policy) => {
            json!({ "enabled": policy.enabled, "timeout_minutes": policy.timeout_minutes })
        }
        WorkerEvent::MonitoringWished { enabled } => json!({ "enabled": enabled }),
        WorkerEvent::EndpointSet { cml_endpoint } => json!({ "cml_endpoint": cml_endpoint }),
        WorkerEvent::CredentialsSet { cml_credentials_ref } => json!({ "cml_credentials_ref": cml_credentials_ref }),
    }
}
