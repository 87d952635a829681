//! EC2's types as the domain's. What is missing or new in an answer costs that one field.

use app::ports::{ImageFacts, StatusChecks};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Image, Instance, InstanceLifecycleType, InstanceStatus, InstanceStatusSummary};
use aws_sdk_ec2::types::{MonitoringState, Tag};
use domain::instance::{InstanceObservation, InstanceState, Lifecycle};
use domain::{InstanceId, Timestamp};

/// An instance; null when its id cannot be read, without which it is of no use.
pub(crate) fn observation(instance: Instance) -> Option<InstanceObservation> {
    let id = instance_id(instance.instance_id.as_deref())?;
    let state = instance.state.and_then(|state| state.name);
    let state_name = state.as_ref().map_or("", |name| name.as_str());
    let state = InstanceState::from_name(state_name);
    if state == InstanceState::Unknown {
        tracing::warn!(instance_id = %id, state = state_name, "EC2 tells a state that is not known here");
    }
    let (state_reason_code, state_reason_message) =
        instance.state_reason.map_or((None, None), |reason| (reason.code, reason.message));
    let monitoring = instance.monitoring.and_then(|monitoring| monitoring.state);
    Some(InstanceObservation {
        id,
        state,
        state_reason_code,
        state_reason_message,
        instance_type: instance.instance_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        ami_id: instance.image_id.unwrap_or_default(),
        availability_zone: instance.placement.and_then(|placement| placement.availability_zone),
        public_ip: instance.public_ip_address.filter(|ip| !ip.is_empty()),
        private_ip: instance.private_ip_address.filter(|ip| !ip.is_empty()),
        lifecycle: match instance.instance_lifecycle {
            Some(InstanceLifecycleType::Spot) => Lifecycle::Spot,
            _ => Lifecycle::OnDemand,
        },
        launched_at: instance.launch_time.and_then(timestamp),
        detailed_monitoring: matches!(monitoring, Some(MonitoringState::Enabled | MonitoringState::Pending)),
        tags: instance.tags.unwrap_or_default().into_iter().filter_map(tag).collect(),
    })
}

/// The checks of an instance; null when its id cannot be read.
pub(crate) fn status_checks(status: InstanceStatus) -> Option<StatusChecks> {
    let id = instance_id(status.instance_id.as_deref())?;
    Some(StatusChecks { id, instance: word(status.instance_status), system: word(status.system_status) })
}

/// An image; null without an id.
pub(crate) fn image_facts(image: Image) -> Option<ImageFacts> {
    Some(ImageFacts {
        id: image.image_id?,
        name: image.name.unwrap_or_default(),
        created_at: image.creation_date.unwrap_or_default(),
    })
}

fn instance_id(text: Option<&str>) -> Option<InstanceId> {
    let id = text.and_then(|text| text.parse().ok());
    if id.is_none() {
        tracing::warn!(?text, "EC2 tells an instance id that cannot be read; left out");
    }
    id
}

fn word(summary: Option<InstanceStatusSummary>) -> String {
    let status = summary.and_then(|summary| summary.status);
    // EC2's own word for a check it knows nothing of.
    status.map_or_else(|| "insufficient-data".into(), |status| status.as_str().to_owned())
}

fn timestamp(time: DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

fn tag(tag: Tag) -> Option<(String, String)> {
    Some((tag.key?, tag.value.unwrap_or_default()))
}
