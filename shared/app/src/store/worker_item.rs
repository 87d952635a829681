//! The stored form of a worker's snapshot.

use std::collections::BTreeMap;

use domain::drift::DriftKind;
use domain::metrics::ServiceStatus;
use domain::worker::{Departure, DesiredState, IdlePolicy, Wish, Worker, WorkerStatus};
use domain::{Place, Timestamp};
use serde::{Deserialize, Serialize};

use super::worker_parts::{
    DepartureRecord, InstanceRecord, OfferRecord, SpecRecord, WishRecord, departure, departure_record, instance_facts,
    instance_record, launch_spec, offer, offer_record, spec_record, wish, wish_record,
};
use super::{keys, record};
use crate::error::AppError;
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
    launch_offer: Option<OfferRecord>,
    former_instance: Option<String>,
    #[serde(default)]
    launch_refused: bool,
    instance: Option<InstanceRecord>,
    status: String,
    status_detail: Option<String>,
    /// Older items have none of these.
    status_since: Option<Timestamp>,
    desired_state: String,
    wish: Option<WishRecord>,
    departure: Option<DepartureRecord>,
    #[serde(default)]
    state_reason: String,
    service_status: String,
    running_since: Option<Timestamp>,
    #[serde(default)]
    ran_until: Option<Timestamp>,
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

/// The item of a snapshot.
pub(super) fn worker_item(worker: &Worker) -> Item {
    let Worker { place: Place { account, region }, .. } = worker;
    let running = worker.status == WorkerStatus::Running;
    let record = WorkerRecord {
        schema: 1,
        id: worker.id.to_string(),
        name: worker.name.clone(),
        account_id: account.to_string(),
        region: region.to_string(),
        spec: spec_record(&worker.spec),
        imported: worker.imported,
        launch_number: worker.launch_number,
        launch_ami_id: worker.launch_ami_id.clone(),
        launch_offer: worker.launch_offer.as_ref().map(offer_record),
        former_instance: worker.former_instance.as_ref().map(ToString::to_string),
        launch_refused: worker.launch_refused,
        instance: worker.instance.as_ref().map(instance_record),
        status: worker.status.name().into(),
        status_detail: worker.status_detail.clone(),
        status_since: Some(worker.status_since),
        desired_state: worker.desired.name().into(),
        wish: Some(wish_record(worker.wish)),
        departure: worker.departure.map(departure_record),
        state_reason: worker.state_reason.clone(),
        service_status: worker.service.name().into(),
        running_since: worker.running_since,
        ran_until: worker.ran_until,
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
    let status = WorkerStatus::from_name(&record.status).unwrap_or(WorkerStatus::Unknown);
    let desired = DesiredState::from_name(&record.desired_state)
        .ok_or_else(|| record::corrupt(item, &format!("desired_state {:?}", record.desired_state)))?;
    // What was gone against the wish before wishes had numbers is not wanted back for that.
    let gone_before = (record.wish.is_none() && status.is_final() && desired != DesiredState::Terminated)
        .then_some(Departure { kind: DriftKind::InstanceGone, at: record.updated_at });
    Ok(Worker {
        id: record.id.parse().map_err(record::bad_field)?,
        version: item.version.ok_or_else(|| record::corrupt(item, &"no version"))?,
        name: record.name,
        place: Place {
            account: record.account_id.parse().map_err(record::bad_field)?,
            region: record.region.parse().map_err(record::bad_field)?,
        },
        spec: launch_spec(record.spec),
        imported: record.imported,
        launch_number: record.launch_number,
        launch_ami_id: record.launch_ami_id,
        launch_offer: record.launch_offer.map(offer),
        former_instance: record.former_instance.map(|id| id.parse().map_err(record::bad_field)).transpose()?,
        launch_refused: record.launch_refused,
        instance: record.instance.map(instance_facts).transpose()?,
        status,
        status_detail: record.status_detail,
        status_since: record.status_since.unwrap_or(record.updated_at),
        desired,
        wish: record.wish.as_ref().map_or(Wish::new(0, record.created_at), wish),
        departure: record.departure.as_ref().and_then(departure).or(gone_before),
        state_reason: record.state_reason,
        service: ServiceStatus::from_name(&record.service_status).unwrap_or_default(),
        running_since: record.running_since,
        ran_until: record.ran_until,
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
