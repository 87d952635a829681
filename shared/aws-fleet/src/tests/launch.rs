use std::collections::BTreeMap;

use app::ports::{Ec2, LaunchRequest};
use domain::instance::InstanceState;
use domain::worker::{ImageChoice, LaunchSpec};

use super::home;
use super::wire::{Answer, Wire};
use crate::AwsEc2;

const IMAGE: &str = "<DescribeImagesResponse><imagesSet><item><imageId>ami-0123456789abcdef0</imageId>\
    <rootDeviceName>/dev/sda1</rootDeviceName></item></imagesSet></DescribeImagesResponse>";
const LAUNCHED: &str = "<RunInstancesResponse><instancesSet><item><instanceId>i-00000000000000001</instanceId>\
    <instanceState><code>0</code><name>pending</name></instanceState></item></instancesSet></RunInstancesResponse>";

fn request() -> LaunchRequest {
    LaunchRequest {
        client_token: "wkr-01-1".into(),
        ami_id: "ami-0123456789abcdef0".into(),
        spec: LaunchSpec {
            instance_type: "m8i.4xlarge".into(),
            image: ImageChoice::RegionDefault,
            fallback_instance_types: vec![],
            subnet_id: Some("subnet-1".into()),
            fallback_subnet_ids: vec![],
            security_group_ids: vec!["sg-1".into(), "sg-2".into()],
            instance_profile: Some("cml-worker".into()),
            volume_gib: Some(200),
            nested_virtualization: true,
            detailed_monitoring: true,
            user_data: Some("#!/bin/sh\necho \"ready\" & wait\n".into()),
        },
        tags: BTreeMap::from([("ccm:worker-id".into(), "wkr-01".into()), ("Name".into(), "a & b".into())]),
    }
}

#[tokio::test]
async fn a_launch_asks_for_exactly_one_locked_down_instance_by_its_token() {
    let wire = Wire::new([Answer::ok(IMAGE), Answer::ok(LAUNCHED)]);
    let seen = AwsEc2::new(wire.clients([])).run_instance(&home(), &request()).await.unwrap();
    assert_eq!((seen.id.as_str(), seen.state), ("i-00000000000000001", InstanceState::Pending));
    let asked = wire.asked();
    assert!(asked[0].has("Action=DescribeImages") && asked[0].has("ImageId.1=ami-0123456789abcdef0"));
    assert_eq!(asked[1].host, "ec2.eu-central-1.amazonaws.com");
    insta::assert_snapshot!("run_instances", asked[1].form());
}

#[tokio::test]
async fn what_was_not_chosen_is_not_sent_and_the_root_volume_is_encrypted_all_the_same() {
    let wire = Wire::new([Answer::ok(IMAGE), Answer::ok(LAUNCHED)]);
    let mut request = request();
    request.spec = LaunchSpec::of_type(request.spec.instance_type);
    AwsEc2::new(wire.clients([])).run_instance(&home(), &request).await.unwrap();
    insta::assert_snapshot!("run_instances_with_defaults", wire.asked()[1].form());
}

#[tokio::test]
async fn an_image_withdrawn_after_an_unanswered_launch_does_not_hide_the_instance() {
    let gone = || Answer::refusal(400, "InvalidAMIID.NotFound", "The image id does not exist");
    let found = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>\
        <instanceId>i-00000000000000002</instanceId><clientToken>wkr-02-1</clientToken></item><item>\
        <instanceId>i-00000000000000001</instanceId><clientToken>wkr-01-1</clientToken></item></instancesSet></item>\
        </reservationSet></DescribeInstancesResponse>";
    let wire = Wire::new([gone(), Answer::ok(found), gone(), Answer::ok("<DescribeInstancesResponse/>")]);
    let ec2 = AwsEc2::new(wire.clients([]));
    let seen = ec2.run_instance(&home(), &request()).await.unwrap();
    assert_eq!(seen.id.as_str(), "i-00000000000000001");
    let asked = wire.asked();
    assert!(asked[1].has("Filter.1.Name=client-token") && asked[1].has("Filter.1.Value.1=wkr-01-1"));
    let error = ec2.run_instance(&home(), &request()).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("RunInstances", "InvalidAMIID.NotFound"));
}
