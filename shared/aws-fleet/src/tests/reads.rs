use std::collections::BTreeMap;

use app::ports::{Ec2, InstanceFilter};
use domain::instance::{InstanceState, Lifecycle};

use super::wire::{Answer, Wire};
use super::{home, instance_id};
use crate::AwsEc2;

fn instances(items: &str, next: &str) -> Answer {
    Answer::ok(format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet>\
         <nextToken>{next}</nextToken></DescribeInstancesResponse>"
    ))
}

fn item(number: usize) -> String {
    format!("<item><instanceId>{}</instanceId></item>", instance_id(number))
}

#[tokio::test]
async fn ids_are_asked_for_by_filter_two_hundred_at_a_time_and_all_pages_are_read() {
    let wire = Wire::new([instances(&item(1), "more"), instances(&item(2), ""), instances(&item(201), "")]);
    let ids = (1..=201).map(instance_id).collect();
    let found = AwsEc2::new(wire.clients([])).describe(&home(), &InstanceFilter::Ids(ids)).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [1, 2, 201].map(instance_id));
    let asked = wire.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].has("Filter.1.Name=instance-id") && asked[0].has("MaxResults=1000"));
    assert!(
        asked[0].has(&format!("Filter.1.Value.200={}", instance_id(200))) && !asked[0].form().contains("Value.201")
    );
    assert!(asked[1].has("NextToken=more"));
    assert!(asked[2].has(&format!("Filter.1.Value.1={}", instance_id(201))));
}

#[tokio::test]
async fn what_was_not_asked_for_is_left_out_of_the_answer() {
    let wire = Wire::new([instances(&format!("{}{}", item(1), item(2)), "")]);
    let asked = InstanceFilter::Ids(vec![instance_id(2)]);
    let found = AwsEc2::new(wire.clients([])).describe(&home(), &asked).await.unwrap();
    assert_eq!(found.into_iter().map(|one| one.id).collect::<Vec<_>>(), [instance_id(2)]);
}

#[tokio::test]
async fn a_new_state_is_unknown_a_missing_field_is_absent_and_an_unreadable_id_costs_only_itself() {
    let full = "<item><instanceId>i-00000000000000001</instanceId><imageId>ami-1</imageId>\
        <instanceState><code>80</code><name>stopped</name></instanceState><instanceType>m5zn.metal</instanceType>\
        <launchTime>2026-01-31T12:00:00.000Z</launchTime><placement><availabilityZone>eu-central-1a</availabilityZone>\
        </placement><monitoring><state>enabled</state></monitoring><privateIpAddress>10.0.0.7</privateIpAddress>\
        <ipAddress>203.0.113.7</ipAddress><instanceLifecycle>spot</instanceLifecycle>\
        <stateReason><code>Server.InternalError</code><message>host lost</message></stateReason>\
        <tagSet><item><key>Name</key><value>one</value></item><item><key>empty</key></item></tagSet></item>";
    let new = "<item><instanceId>i-00000000000000002</instanceId>\
        <instanceState><code>99</code><name>hibernating</name></instanceState></item>";
    let wire = Wire::new([instances(&format!("{full}{new}<item><instanceId>mi-1</instanceId></item><item/>"), "")]);
    let filter = InstanceFilter::Tag("ccm:managed".into(), Some("true*".into()));
    let found = AwsEc2::new(wire.clients([])).describe(&home(), &filter).await.unwrap();
    let asked = wire.asked();
    assert!(asked[0].has("Filter.1.Name=tag:ccm:managed") && asked[0].has("Filter.1.Value.1=true\\*"));
    assert_eq!(found.len(), 2);
    let (full, new) = (&found[0], &found[1]);
    assert_eq!((full.state, full.lifecycle, full.detailed_monitoring), (InstanceState::Stopped, Lifecycle::Spot, true));
    assert_eq!(full.launched_at, Some("2026-01-31T12:00:00Z".parse().unwrap()));
    assert_eq!(full.state_reason_code.as_deref(), Some("Server.InternalError"));
    assert_eq!((full.public_ip.as_deref(), full.private_ip.as_deref()), (Some("203.0.113.7"), Some("10.0.0.7")));
    assert_eq!(full.availability_zone.as_deref(), Some("eu-central-1a"));
    assert_eq!(full.tags, BTreeMap::from([("Name".into(), "one".into()), ("empty".into(), String::new())]));
    assert_eq!((new.state, new.instance_type.as_str(), &new.public_ip), (InstanceState::Unknown, "", &None));
}

#[tokio::test]
async fn status_checks_are_asked_for_a_hundred_ids_at_a_time_and_of_running_instances_only() {
    let status = |items: &str| {
        let set = format!("<instanceStatusSet>{items}</instanceStatusSet>");
        Answer::ok(format!("<DescribeInstanceStatusResponse>{set}</DescribeInstanceStatusResponse>"))
    };
    let one =
        "<item><instanceId>i-00000000000000001</instanceId><instanceStatus><status>ok</status></instanceStatus></item>";
    let wire = Wire::new([status(one), status("")]);
    let ids: Vec<_> = (1..=101).map(instance_id).collect();
    let checks = AwsEc2::new(wire.clients([])).status_checks(&home(), &ids).await.unwrap();
    assert_eq!((checks[0].instance.as_str(), checks[0].system.as_str()), ("ok", "insufficient-data"));
    let asked = wire.asked();
    assert!(asked[0].has("IncludeAllInstances=false") && asked[0].form().contains("InstanceId.100="));
    assert!(!asked[0].form().contains("InstanceId.101=") && asked[1].form().contains("InstanceId.1="));
}

#[tokio::test]
async fn images_are_asked_for_by_name_owner_and_state_and_never_of_everybody() {
    let body = "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>cml-2.9</name>\
        <creationDate>2026-01-31T12:00:00.000Z</creationDate></item><item/></imagesSet></DescribeImagesResponse>";
    let wire = Wire::new([Answer::ok(body)]);
    let ec2 = AwsEc2::new(wire.clients([]));
    assert!(ec2.images(&home(), "cml-2.*", &[]).await.unwrap().is_empty());
    assert!(wire.asked().is_empty());
    let images = ec2.images(&home(), "cml-2.*", &["self".into(), "222222222222".into()]).await.unwrap();
    assert_eq!((images.len(), images[0].name.as_str()), (1, "cml-2.9"));
    let asked = wire.asked();
    for parameter in [
        "Owner.1=self",
        "Owner.2=222222222222",
        "Filter.1.Name=name",
        "Filter.1.Value.1=cml-2.*",
        "Filter.2.Name=state",
        "Filter.2.Value.1=available",
    ] {
        assert!(asked[0].has(parameter), "{parameter}");
    }
}

#[tokio::test]
async fn tags_are_set_and_removed_whatever_their_value_and_nothing_is_asked_for_nothing() {
    let wire = Wire::new([Answer::ok("<CreateTagsResponse/>"), Answer::ok("<DeleteTagsResponse/>")]);
    let ec2 = AwsEc2::new(wire.clients([]));
    ec2.update_tags(&home(), &instance_id(1), &BTreeMap::new(), &[]).await.unwrap();
    assert!(wire.asked().is_empty());
    let set = BTreeMap::from([("team".to_owned(), "net".to_owned())]);
    ec2.update_tags(&home(), &instance_id(1), &set, &["old".to_owned()]).await.unwrap();
    let asked = wire.asked();
    assert!(asked[0].has("Tag.1.Key=team") && asked[0].has("Tag.1.Value=net"));
    assert!(asked[1].has("Tag.1.Key=old") && !asked[1].form().contains("Tag.1.Value"));
}

#[tokio::test]
async fn detailed_monitoring_is_turned_on_and_off_for_one_instance() {
    let wire = Wire::new([Answer::ok("<MonitorInstancesResponse/>"), Answer::ok("<UnmonitorInstancesResponse/>")]);
    let ec2 = AwsEc2::new(wire.clients([]));
    ec2.set_monitoring(&home(), &instance_id(1), true).await.unwrap();
    ec2.set_monitoring(&home(), &instance_id(1), false).await.unwrap();
    for (asked, action) in wire.asked().iter().zip(["Action=MonitorInstances", "Action=UnmonitorInstances"]) {
        assert!(asked.has(action) && asked.has(&format!("InstanceId.1={}", instance_id(1))), "{action}");
    }
}

#[tokio::test]
async fn the_newest_console_output_is_asked_for_and_the_last_boots_where_the_type_has_no_newer() {
    let answer = |output: &str| Answer::ok(format!("<GetConsoleOutputResponse>{output}</GetConsoleOutputResponse>"));
    // "boot\xff\nlogin:", wrapped.
    let kept = answer("<output>Ym9vdP8K\nbG9naW46</output>");
    let old = Answer::refusal(400, "UnsupportedOperation", "This instance type does not support latest");
    let wire = Wire::new([answer("<output>Ym9vdA==</output>"), old, kept, answer(""), answer("<output>?</output>")]);
    let ec2 = AwsEc2::new(wire.clients([]));
    let read = async || ec2.console_output(&home(), &instance_id(1)).await;
    assert_eq!(read().await.unwrap().as_deref(), Some("boot"));
    assert_eq!(read().await.unwrap().as_deref(), Some("boot\u{fffd}\nlogin:"));
    assert_eq!(read().await.unwrap(), None);
    assert_eq!(read().await.unwrap_err().operation, "GetConsoleOutput");
    let latest: Vec<bool> = wire.asked().iter().map(|asked| asked.has("Latest=true")).collect();
    assert_eq!(latest, [true, true, false, true, true]);
    assert!(wire.asked()[0].has(&format!("InstanceId={}", instance_id(1))));
}
