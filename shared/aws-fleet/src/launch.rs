//! `RunInstances`: what was chosen, and what is not a choice.

use std::collections::BTreeMap;

use app::ports::LaunchRequest;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CpuOptionsRequest, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceType, NestedVirtualizationSpecification,
    ResourceType, RunInstancesMonitoringEnabled, Tag, TagSpecification, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Two: a container on the worker, one hop further, may ask for metadata too.
const METADATA_HOPS: i32 = 2;

/// The call, for an image whose root volume has that device name. The same request makes the same
/// call: EC2 refuses a token that comes with other parameters.
pub(crate) fn run_instances(client: &Client, request: &LaunchRequest, root_device: &str) -> RunInstancesFluentBuilder {
    let spec = &request.spec;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let groups = Some(spec.security_group_ids.clone()).filter(|groups| !groups.is_empty());
    let profile = spec.instance_profile.as_deref().and_then(text);
    let profile = profile.map(|name| IamInstanceProfileSpecification::builder().name(name).build());
    let cpu = spec.nested_virtualization.then(|| {
        CpuOptionsRequest::builder().nested_virtualization(NestedVirtualizationSpecification::Enabled).build()
    });
    client
        .run_instances()
        .client_token(&request.client_token)
        .image_id(&request.ami_id)
        .instance_type(InstanceType::from(spec.instance_type.as_str()))
        .min_count(1)
        .max_count(1)
        .metadata_options(metadata_options())
        .block_device_mappings(root_volume(root_device, spec.volume_gib))
        .tag_specifications(tags(ResourceType::Instance, &request.tags))
        .tag_specifications(tags(ResourceType::Volume, &request.tags))
        .monitoring(RunInstancesMonitoringEnabled::builder().enabled(spec.detailed_monitoring).build())
        .set_cpu_options(cpu)
        .set_iam_instance_profile(profile)
        .set_subnet_id(spec.subnet_id.as_deref().and_then(text))
        .set_security_group_ids(groups)
        .set_user_data(spec.user_data.as_deref().map(|script| STANDARD.encode(script)))
}

/// IMDSv2 only: a request forged through the worker's own software has no token.
fn metadata_options() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(METADATA_HOPS)
        .build()
}

fn root_volume(device: &str, gib: Option<u32>) -> BlockDeviceMapping {
    let volume = EbsBlockDevice::builder()
        .encrypted(true)
        .volume_type(VolumeType::Gp3)
        .delete_on_termination(true)
        .set_volume_size(gib.and_then(|gib| i32::try_from(gib).ok()))
        .build();
    BlockDeviceMapping::builder().device_name(device).ebs(volume).build()
}

fn tags(resource: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder().resource_type(resource).set_tags(Some(sdk_tags(tags))).build()
}

/// Tags as the SDK takes them.
pub(crate) fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
