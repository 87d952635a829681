//! Parts of a worker's snapshot in their stored form.

use domain::Timestamp;
use domain::drift::DriftKind;
use domain::instance::Lifecycle;
use domain::worker::{Departure, DesiredState, ImageChoice, InstanceFacts, LaunchSpec, Offer, Wish};
use serde::{Deserialize, Serialize};

use super::record;
use crate::error::AppError;

#[derive(Serialize, Deserialize)]
pub(super) struct OfferRecord {
    instance_type: String,
    subnet_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WishRecord {
    number: u64,
    at: Timestamp,
    overtook: Option<String>,
    /// An item of an older version has none.
    #[serde(default)]
    unfulfilled: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DepartureRecord {
    kind: String,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SpecRecord {
    instance_type: String,
    #[serde(default)]
    fallback_instance_types: Vec<String>,
    #[serde(default)]
    fallback_subnet_ids: Vec<String>,
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
pub(super) struct InstanceRecord {
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

pub(super) fn spec_record(spec: &LaunchSpec) -> SpecRecord {
    let (ami_id, ami_name) = match &spec.image {
        ImageChoice::Id(id) => (Some(id.clone()), None),
        ImageChoice::Name(name) => (None, Some(name.clone())),
        ImageChoice::RegionDefault => (None, None),
    };
    SpecRecord {
        instance_type: spec.instance_type.clone(),
        fallback_instance_types: spec.fallback_instance_types.clone(),
        fallback_subnet_ids: spec.fallback_subnet_ids.clone(),
        ami_id,
        ami_name,
        subnet_id: spec.subnet_id.clone(),
        security_group_ids: spec.security_group_ids.clone(),
        instance_profile: spec.instance_profile.clone(),
        volume_gib: spec.volume_gib,
        nested_virtualization: spec.nested_virtualization,
        detailed_monitoring: spec.detailed_monitoring,
    }
}

pub(super) fn launch_spec(spec: SpecRecord) -> LaunchSpec {
    LaunchSpec {
        instance_type: spec.instance_type,
        image: match (spec.ami_id, spec.ami_name) {
            (Some(id), _) => ImageChoice::Id(id),
            (None, Some(name)) => ImageChoice::Name(name),
            (None, None) => ImageChoice::RegionDefault,
        },
        fallback_instance_types: spec.fallback_instance_types,
        subnet_id: spec.subnet_id,
        fallback_subnet_ids: spec.fallback_subnet_ids,
        security_group_ids: spec.security_group_ids,
        instance_profile: spec.instance_profile,
        volume_gib: spec.volume_gib,
        nested_virtualization: spec.nested_virtualization,
        detailed_monitoring: spec.detailed_monitoring,
        // Kept apart; a launch reads it.
        user_data: None,
    }
}

pub(super) fn offer_record(offer: &Offer) -> OfferRecord {
    OfferRecord { instance_type: offer.instance_type.clone(), subnet_id: offer.subnet_id.clone() }
}

pub(super) fn offer(record: OfferRecord) -> Offer {
    Offer { instance_type: record.instance_type, subnet_id: record.subnet_id }
}

pub(super) fn wish_record(wish: Wish) -> WishRecord {
    let overtook = wish.overtook.map(|before| before.name().into());
    WishRecord { number: wish.number, at: wish.at, overtook, unfulfilled: wish.unfulfilled }
}

pub(super) fn wish(record: &WishRecord) -> Wish {
    let overtook = record.overtook.as_deref().and_then(DesiredState::from_name);
    Wish { number: record.number, at: record.at, overtook, unfulfilled: record.unfulfilled }
}

pub(super) fn departure_record(departure: Departure) -> DepartureRecord {
    DepartureRecord { kind: departure.kind.name().into(), at: departure.at }
}

/// Of a kind that a later version knows nothing is known.
pub(super) fn departure(record: &DepartureRecord) -> Option<Departure> {
    Some(Departure { kind: DriftKind::from_name(&record.kind)?, at: record.at })
}

pub(super) fn instance_record(facts: &InstanceFacts) -> InstanceRecord {
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

pub(super) fn instance_facts(record: InstanceRecord) -> Result<InstanceFacts, AppError> {
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
