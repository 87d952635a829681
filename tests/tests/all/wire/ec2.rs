//! Our EC2 calls against moto's server.
//!
//! What moto cannot do is proven elsewhere: it knows no `MonitorInstances` and no filter `client-token`,
//! takes minutes to fill a page of a thousand instances (all three in aws-fleet's own tests), and launches
//! anew for a `ClientToken` it has seen (in `faults`, whose proxy keeps tokens as EC2 does). The last test
//! here fails when it has learnt one of the calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::ports::{Ec2, InstanceFilter, LaunchRequest};
use aws_fleet::{AwsEc2, FixedRoles, FleetClients};
use aws_sdk_ec2::types::{Filter, HttpTokensState, InstanceAttributeName, MonitoringState, VolumeType};
use domain::instance::{InstanceObservation, InstanceState};
use domain::worker::LaunchSpec;
use domain::{InstanceId, Place};

use super::set_up;

/// The account that moto takes us for, by any credentials it did not give out itself.
pub(super) const HOME: &str = "123456789012";

pub(super) fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

/// The adapter, for EC2 at that address.
pub(super) fn ec2_at(url: &str, roles: FixedRoles) -> AwsEc2 {
    let config = aws::sdk_config_for(url);
    AwsEc2::new(Arc::new(FleetClients::new(&config, HOME.parse().unwrap(), "run-operation", Arc::new(roles))))
}

pub(super) fn ec2() -> AwsEc2 {
    ec2_at(&set_up("WIRE_MOTO_URL"), FixedRoles::default())
}

/// The plain client, to look at what the adapter did.
pub(super) fn sdk(region: &'static str) -> aws_sdk_ec2::Client {
    let config = aws::sdk_config_for(&set_up("WIRE_MOTO_URL")).to_builder();
    aws_sdk_ec2::Client::new(&config.region(aws_sdk_ec2::config::Region::new(region)).build())
}

/// An image of our own, of that name.
pub(super) async fn image(region: &'static str, name: &str) -> String {
    let call = sdk(region).register_image().name(name).root_device_name("/dev/sda1");
    call.send().await.unwrap().image_id.unwrap()
}

/// A launch, told from those of other tests and runs by its token and tag.
pub(super) fn launch_request(ami_id: &str, token: &str) -> LaunchRequest {
    LaunchRequest {
        client_token: token.into(),
        ami_id: ami_id.into(),
        spec: LaunchSpec {
            volume_gib: Some(200),
            nested_virtualization: true,
            detailed_monitoring: true,
            user_data: Some("#!/bin/sh\necho \"ready\" & wait\n".into()),
            ..LaunchSpec::of_type("m8i.4xlarge")
        },
        tags: BTreeMap::from([("ccm:worker-id".into(), token.into()), ("Name".into(), "a & b".into())]),
    }
}

/// A name that no other test and no other run uses.
pub(super) fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

async fn launched(region: &'static str, name: &str) -> InstanceObservation {
    let ami = image(region, &unique(name)).await;
    ec2().run_instance(&place(HOME, region), &launch_request(&ami, &unique(name))).await.unwrap()
}

async fn state(region: &'static str, id: &InstanceId) -> InstanceState {
    let found = ec2().describe(&place(HOME, region), &InstanceFilter::Ids(vec![id.clone()])).await.unwrap();
    found[0].state
}

#[tokio::test]
async fn a_launch_is_one_instance_locked_down_and_tagged_on_an_encrypted_volume() {
    let region = "eu-central-1";
    let seen = launched(region, "launch").await;
    let tags = BTreeMap::from([("ccm:worker-id".to_owned(), unique("launch")), ("Name".into(), "a & b".into())]);
    assert_eq!(seen.tags, tags);

    let id = seen.id.as_str();
    let answer = sdk(region).describe_instances().instance_ids(id).send().await.unwrap();
    let instance = &answer.reservations()[0].instances()[0];
    let metadata = instance.metadata_options().unwrap();
    assert_eq!(
        (metadata.http_tokens(), metadata.http_put_response_hop_limit()),
        (Some(&HttpTokensState::Required), Some(2))
    );
    assert_eq!(instance.client_token(), Some(unique("launch").as_str()));
    assert_eq!(instance.instance_type().unwrap().as_str(), "m8i.4xlarge");
    assert_eq!(instance.monitoring().unwrap().state(), Some(&MonitoringState::Enabled));

    let attached = Filter::builder().name("attachment.instance-id").values(id).build();
    let volumes = sdk(region).describe_volumes().filters(attached).send().await.unwrap();
    let [volume] = volumes.volumes() else { panic!("{volumes:?}") };
    assert_eq!(
        (volume.encrypted(), volume.volume_type(), volume.size()),
        (Some(true), Some(&VolumeType::Gp3), Some(200))
    );
    assert_eq!(volume.tags().len(), 2);

    let script = sdk(region).describe_instance_attribute().instance_id(id).attribute(InstanceAttributeName::UserData);
    let script = script.send().await.unwrap();
    assert_eq!(script.user_data().unwrap().value(), Some("IyEvYmluL3NoCmVjaG8gInJlYWR5IiAmIHdhaXQK"));
}

#[tokio::test]
async fn instances_are_found_by_tag_id_and_image_and_what_is_unknown_is_left_out() {
    let region = "eu-west-1";
    let name = unique("found");
    let ami = image(region, &name).await;
    let mut ids = BTreeSet::new();
    for number in 0..3 {
        let mut request = launch_request(&ami, &format!("{name}-{number}"));
        request.tags.insert("fleet".into(), name.clone());
        ids.insert(ec2().run_instance(&place(HOME, region), &request).await.unwrap().id);
    }
    let unknown: InstanceId = "i-00000000000000009".parse().unwrap();
    for filter in [
        InstanceFilter::Tag("fleet".into(), Some(name.clone())),
        InstanceFilter::Ids(ids.iter().cloned().chain([unknown]).collect()),
        InstanceFilter::Images(vec![ami]),
    ] {
        let found = ec2().describe(&place(HOME, region), &filter).await.unwrap();
        assert_eq!(found.into_iter().map(|one| one.id).collect::<BTreeSet<_>>(), ids, "{filter:?}");
    }
    let elsewhere = ec2().describe(&place(HOME, "eu-west-2"), &InstanceFilter::Tag("fleet".into(), Some(name))).await;
    assert_eq!(elsewhere.unwrap(), []);
}

#[tokio::test]
async fn images_are_found_by_name_and_owner() {
    let (region, name) = ("us-west-1", unique("cml-2.9"));
    let ami = image(region, &name).await;
    let images = |owner: &str| {
        let (name, owner) = (name.replace("2.9", "2.*"), owner.to_owned());
        async move { ec2().images(&place(HOME, region), &name, &[owner]).await.unwrap() }
    };
    let own = images("self").await;
    assert_eq!(own.iter().map(|image| (&image.id, &image.name)).collect::<Vec<_>>(), [(&ami, &name)]);
    assert_eq!(images(HOME).await, own);
    assert_eq!(images("222222222222").await, []);
}

#[tokio::test]
async fn an_instance_stops_starts_and_terminates() {
    let region = "us-west-2";
    let (ec2, place) = (ec2(), place(HOME, region));
    let id = launched(region, "life").await.id;
    let checks = ec2.status_checks(&place, std::slice::from_ref(&id)).await.unwrap();
    assert_eq!((checks[0].instance.as_str(), checks[0].system.as_str()), ("ok", "ok"));
    ec2.stop(&place, &id).await.unwrap();
    assert_eq!(state(region, &id).await, InstanceState::Stopped);
    assert_eq!(ec2.status_checks(&place, std::slice::from_ref(&id)).await.unwrap(), []);
    ec2.start(&place, &id).await.unwrap();
    assert_eq!(state(region, &id).await, InstanceState::Running);
    ec2.terminate(&place, &id).await.unwrap();
    assert_eq!(state(region, &id).await, InstanceState::Terminated);
}

#[tokio::test]
async fn an_unknown_instance_is_refused_by_its_code() {
    let id: InstanceId = "i-00000000000000009".parse().unwrap();
    let error = ec2().start(&place(HOME, "us-east-2"), &id).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("StartInstances", "InvalidInstanceID.NotFound"));
}

#[tokio::test]
async fn tags_are_set_and_removed() {
    let region = "eu-west-3";
    let (ec2, place) = (ec2(), place(HOME, region));
    let id = launched(region, "tags").await.id;
    let set = BTreeMap::from([("team".to_owned(), "net & labs".to_owned()), ("old".into(), "1".into())]);
    ec2.update_tags(&place, &id, &set, &[]).await.unwrap();
    ec2.update_tags(&place, &id, &BTreeMap::new(), &["old".to_owned()]).await.unwrap();
    let found = ec2.describe(&place, &InstanceFilter::Ids(vec![id])).await.unwrap();
    assert_eq!(found[0].tags.get("team").map(String::as_str), Some("net & labs"));
    assert!(!found[0].tags.contains_key("old"));
}

#[tokio::test]
async fn moto_has_not_learnt_what_is_proven_elsewhere() {
    let region = "eu-north-1";
    let (ec2, place) = (ec2(), place(HOME, region));
    let request = launch_request(&image(region, &unique("twice")).await, &unique("twice"));
    let one = ec2.run_instance(&place, &request).await.unwrap().id;
    assert_ne!(ec2.run_instance(&place, &request).await.unwrap().id, one);
    assert_eq!(ec2.set_monitoring(&place, &one, true).await.unwrap_err().code, "ServiceUnavailable");
    let by_token = Filter::builder().name("client-token").values(unique("twice")).build();
    assert!(sdk(region).describe_instances().filters(by_token).send().await.is_err());
}
