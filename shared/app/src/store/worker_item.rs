//! The stored form of a worker's snapshot and of its events.

use std::collections::BTreeMap;

use domain::instance::Lifecycle;
use domain::metrics::ServiceStatus;
use domain::worker::{
    Change, DesiredState, IdlePolicy, ImageChoice, InstanceFacts, LaunchSpec, Worker, WorkerEvent, WorkerStatus,
};
use domain::{Actor, Place, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::actor::ActorRecord;
use super::keys;
use super::record;
use crate::error::{AppError, PortError};
use crate::ports::Item;

#[derive(Serialize, Deserialize)]
struct WorkerRecord {
    schema: u32,
    id: String,
    name: String,
    account_id: String,
    region: String,
    spec: SpecRecord,
    #[serde(default)]
    imported: bool,
    #[serde(default)]
    launch_number: u32,
    launch_ami_id: Option<String>,
    instance: Option<InstanceRecord>,
    status: String,
    status_detail: Option<String>,
    desired_state: String,
    #[serde(default)]
    state_reason: String,
    service_status: String,
    running_since: Option<Timestamp>,
    missing_since: Option<Timestamp>,
    cml_endpoint: Option<String>,
    cml_credentials_ref: Option<String>,
    certificate_sha256: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    idle_enabled: bool,
    idle_timeout_minutes: Option<u32>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct SpecRecord {
    instance_type: String,
    ami_id: Option<String>,
    ami_name: Option<String>,
    subnet_id: Option<String>,
    #[serde(default)]
    security_group_ids: Vec<String>,
    instance_profile: Option<String>,
    volume_gib: Option<u32>,
    #[serde(default)]
    nested_virtualization: bool,
    #[serde(default)]
    detailed_monitoring: bool,
}

#[derive(Serialize, Deserialize)]
struct InstanceRecord {
    id: String,
    instance_type: String,
    ami_id: String,
    availability_zone: Option<String>,
    public_ip: Option<String>,
    private_ip: Option<String>,
    #[serde(default)]
    spot: bool,
    #[serde(default)]
    detailed_monitoring: bool,
}

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

/// The item of a snapshot.
pub(super) fn worker_item(worker: &Worker) -> Item {
    let Worker { place: Place { account, region }, .. } = worker;
    let running = worker.status == WorkerStatus::Running;
    let (ami_id, ami_name) = match &worker.spec.image {
        ImageChoice::Id(id) => (Some(id.clone()), None),
        ImageChoice::Name(name) => (None, Some(name.clone())),
        ImageChoice::RegionDefault => (None, None),
    };
    let spec = &worker.spec;
    let record = WorkerRecord {
        schema: 1,
        id: worker.id.to_string(),
        name: worker.name.clone(),
        account_id: account.to_string(),
        region: region.to_string(),
        spec: SpecRecord {
            instance_type: spec.instance_type.clone(),
            ami_id,
            ami_name,
            subnet_id: spec.subnet_id.clone(),
            security_group_ids: spec.security_group_ids.clone(),
            instance_profile: spec.instance_profile.clone(),
            volume_gib: spec.volume_gib,
            nested_virtualization: spec.nested_virtualization,
            detailed_monitoring: spec.detailed_monitoring,
        },
        imported: worker.imported,
        launch_number: worker.launch_number,
        launch_ami_id: worker.launch_ami_id.clone(),
        instance: worker.instance.as_ref().map(instance_record),
        status: worker.status.name().into(),
        status_detail: worker.status_detail.clone(),
        desired_state: worker.desired.name().into(),
        state_reason: worker.state_reason.clone(),
        service_status: worker.service.name().into(),
        running_since: worker.running_since,
        missing_since: worker.missing_since,
        cml_endpoint: worker.cml_endpoint.clone(),
        cml_credentials_ref: worker.cml_credentials_ref.clone(),
        certificate_sha256: worker.certificate_sha256.clone(),
        owner: worker.owner.clone(),
        tags: worker.tags.clone(),
        idle_enabled: worker.idle_policy.enabled,
        idle_timeout_minutes: worker.idle_policy.timeout_minutes,
        created_at: worker.created_at,
        updated_at: worker.updated_at,
    };
    let key = keys::worker(worker.id);
    Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: Some((keys::WORKERS.into(), format!("{region}#{}#{}", worker.name.to_lowercase(), worker.id))),
        gsi2: running.then(|| (keys::RUNNING.into(), format!("{account}#{region}#{}", worker.id))),
        version: Some(worker.version),
        expires_at: None,
        attributes: record::attributes(&record),
    }
}

/// The snapshot of an item. A status of a later version reads as `unknown`, never as an error.
pub(super) fn read_worker(item: &Item) -> Result<Worker, AppError> {
    let record: WorkerRecord = record::read(item)?;
    let spec = record.spec;
    Ok(Worker {
        id: record.id.parse().map_err(record::bad_field)?,
        version: item.version.ok_or_else(|| record::corrupt(item, &"no version"))?,
        name: record.name,
        place: Place {
            account: record.account_id.parse().map_err(record::bad_field)?,
            region: record.region.parse().map_err(record::bad_field)?,
        },
        spec: LaunchSpec {
            instance_type: spec.instance_type,
            image: match (spec.ami_id, spec.ami_name) {
                (Some(id), _) => ImageChoice::Id(id),
                (None, Some(name)) => ImageChoice::Name(name),
                (None, None) => ImageChoice::RegionDefault,
            },
            subnet_id: spec.subnet_id,
            security_group_ids: spec.security_group_ids,
            instance_profile: spec.instance_profile,
            volume_gib: spec.volume_gib,
            nested_virtualization: spec.nested_virtualization,
            detailed_monitoring: spec.detailed_monitoring,
            // Kept apart; a launch reads it.
            user_data: None,
        },
        imported: record.imported,
        launch_number: record.launch_number,
        launch_ami_id: record.launch_ami_id,
        instance: record.instance.map(instance_facts).transpose()?,
        status: WorkerStatus::from_name(&record.status).unwrap_or(WorkerStatus::Unknown),
        status_detail: record.status_detail,
        desired: DesiredState::from_name(&record.desired_state)
            .ok_or_else(|| record::corrupt(item, &format!("desired_state {:?}", record.desired_state)))?,
        state_reason: record.state_reason,
        service: ServiceStatus::from_name(&record.service_status).unwrap_or_default(),
        running_since: record.running_since,
        missing_since: record.missing_since,
        cml_endpoint: record.cml_endpoint,
        cml_credentials_ref: record.cml_credentials_ref,
        certificate_sha256: record.certificate_sha256,
        owner: record.owner,
        tags: record.tags,
        idle_policy: IdlePolicy { enabled: record.idle_enabled, timeout_minutes: record.idle_timeout_minutes },
        created_at: record.created_at,
        updated_at: record.updated_at,
    })
}

fn instance_record(facts: &InstanceFacts) -> InstanceRecord {
    InstanceRecord {
        id: facts.id.to_string(),
        instance_type: facts.instance_type.clone(),
        ami_id: facts.ami_id.clone(),
        availability_zone: facts.availability_zone.clone(),
        public_ip: facts.public_ip.clone(),
        private_ip: facts.private_ip.clone(),
        spot: facts.lifecycle == Lifecycle::Spot,
        detailed_monitoring: facts.detailed_monitoring,
    }
}

fn instance_facts(record: InstanceRecord) -> Result<InstanceFacts, AppError> {
    Ok(InstanceFacts {
        id: record.id.parse().map_err(record::bad_field)?,
        instance_type: record.instance_type,
        ami_id: record.ami_id,
        availability_zone: record.availability_zone,
        public_ip: record.public_ip,
        private_ip: record.private_ip,
        lifecycle: if record.spot { Lifecycle::Spot } else { Lifecycle::OnDemand },
        detailed_monitoring: record.detailed_monitoring,
    })
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
        WorkerEvent::LaunchIntended { number, ami_id } => json!({ "launch_number": number, "ami_id": ami_id }),
        WorkerEvent::StatusChanged { from, to, detail, reason, .. } => {
            json!({ "from": from.name(), "to": to.name(), "detail": detail, "reason": reason })
        }
        WorkerEvent::DesiredChanged { from, to, reason } => {
            json!({ "from": from.name(), "to": to.name(), "reason": reason })
        }
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
