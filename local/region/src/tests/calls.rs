//! What each call answers, refuses and costs.

use app::ports::Ec2;

use super::*;
use crate::{Fault, Scarce, TIMEOUT_AFTER_SUCCESS};

#[tokio::test]
async fn one_client_token_never_launches_twice() {
    let mut world = World::new();
    let id = world.launch("t").await;
    assert_eq!(world.launch("t").await, id);
    let mut other = request("t");
    other.spec.instance_type = "c5.4xlarge".into();
    assert_eq!(code(world.cloud.run_instance(&home(), &other).await), "IdempotentParameterMismatch");
    world.cloud.terminate(&home(), &id).await.unwrap();
    // No longer listed, and the token still names it, for a day after its end.
    world.pass(60 + 23 * 3_600);
    world.reopen();
    let same = world.cloud.run_instance(&home(), &request("t")).await.unwrap();
    assert_eq!((same.id, same.state.name()), (id.clone(), "terminated"));
    world.pass(3_600);
    assert_ne!(world.launch("t").await, id);
    // A token counts in its own place only.
    let abroad = place("123456789012", "eu-west-1");
    world.cloud.run_instance(&abroad, &request_in(&abroad, "t")).await.unwrap();
    assert_eq!(world.cloud.instances().len(), 2);
    assert_eq!(code(world.cloud.run_instance(&home(), &request(&"x".repeat(65))).await), "InvalidParameterValue");
}

#[tokio::test]
async fn a_launch_needs_an_image_of_the_place_and_a_type_that_exists() {
    let world = World::new();
    let abroad = place("123456789012", "eu-west-1");
    assert_eq!(code(world.cloud.run_instance(&abroad, &request("a")).await), "InvalidAMIID.NotFound");
    let mut unknown = request("a");
    unknown.spec.instance_type = "c5.enormous".into();
    assert_eq!(code(world.cloud.run_instance(&home(), &unknown).await), "InvalidParameterValue");
    // A refused call binds no token.
    world.launch("a").await;
}

#[tokio::test]
async fn a_verb_is_refused_or_needless_as_the_state_says() {
    let world = World::new();
    let id = world.launch("a").await;
    let (cloud, here) = (&world.cloud, home());
    let incorrect = "IncorrectInstanceState";
    assert_eq!(code(cloud.start(&here, &id).await), incorrect);
    assert_eq!(code(cloud.stop(&here, &id).await), incorrect);
    world.pass(30);
    cloud.start(&here, &id).await.unwrap();
    assert_eq!(world.state(&id).await, "running");
    cloud.stop(&here, &id).await.unwrap();
    cloud.stop(&here, &id).await.unwrap();
    assert_eq!(code(cloud.start(&here, &id).await), incorrect);
    world.pass(60);
    cloud.stop(&here, &id).await.unwrap();
    assert_eq!(world.state(&id).await, "stopped");
    cloud.start(&here, &id).await.unwrap();
    assert_eq!(world.state(&id).await, "pending");
    cloud.terminate(&here, &id).await.unwrap();
    cloud.terminate(&here, &id).await.unwrap();
    assert_eq!(code(cloud.stop(&here, &id).await), incorrect);
    world.pass(60);
    cloud.terminate(&here, &id).await.unwrap();
    assert_eq!(code(cloud.start(&here, &id).await), incorrect);
    assert_eq!(
        world.states_told(),
        ["pending", "running", "stopping", "stopped", "pending", "shutting-down", "terminated"]
    );
}

#[tokio::test]
async fn another_region_or_account_knows_nothing_of_an_instance() {
    let world = World::new();
    let id = world.running("a").await;
    for elsewhere in [place("123456789012", "us-west-2"), place("210987654321", "us-east-1")] {
        let not_found = "InvalidInstanceID.NotFound";
        assert_eq!(code(world.cloud.stop(&elsewhere, &id).await), not_found);
        assert_eq!(code(world.cloud.set_monitoring(&elsewhere, &id, true).await), not_found);
        assert_eq!(code(world.cloud.status_checks(&elsewhere, std::slice::from_ref(&id)).await), not_found);
        let listed = world.cloud.describe(&elsewhere, &InstanceFilter::Ids(vec![id.clone()])).await.unwrap();
        assert_eq!(listed, []);
    }
    assert_eq!(world.state(&id).await, "running");
}

#[tokio::test]
async fn a_filter_leaves_out_what_it_does_not_know() {
    let world = World::new();
    let (a, b) = (world.launch("a").await, world.launch("b").await);
    let ids = async |filter: InstanceFilter| {
        let found = world.cloud.describe(&home(), &filter).await.unwrap();
        found.into_iter().map(|seen| seen.id).collect::<Vec<_>>()
    };
    let stranger: InstanceId = "i-0123456789abcdef0".parse().unwrap();
    let (only_a, only_b) = (vec![a.clone()], vec![b.clone()]);
    assert_eq!(ids(InstanceFilter::Ids(vec![b.clone(), stranger])).await, only_b);
    assert_eq!(ids(InstanceFilter::Tag(WORKER_TAG.into(), None)).await, [a.clone(), b.clone()]);
    assert_eq!(ids(InstanceFilter::Tag(WORKER_TAG.into(), Some("wkr-a".into()))).await, only_a);
    assert_eq!(ids(InstanceFilter::Tag("Other".into(), None)).await, []);
    assert_eq!(ids(InstanceFilter::Images(vec!["ami-00000000000000000".into()])).await, []);
    assert_eq!(ids(InstanceFilter::Images(vec![request("a").ami_id])).await, [a, b]);
}

#[tokio::test]
async fn calls_are_counted_by_the_page() {
    let world = World::new();
    let seed = crate::SeedInstance {
        place: home(),
        name: "many".into(),
        instance_type: "c5.large".into(),
        ami_id: None,
        tags: BTreeMap::new(),
        running_since: None,
    };
    for _ in 0..1_001 {
        world.cloud.seed_instance(seed.clone());
    }
    world.cloud.describe(&home(), &InstanceFilter::Tag("nothing".into(), None)).await.unwrap();
    assert_eq!(world.cloud.calls(), BTreeMap::from([("DescribeInstances".to_owned(), 1)]));
    let all = world.cloud.describe(&home(), &InstanceFilter::Tag("Name".into(), None)).await.unwrap();
    assert_eq!((all.len(), world.cloud.calls()["DescribeInstances"]), (1_001, 3));
}

#[tokio::test]
async fn status_checks_take_two_minutes_and_fail_whole_for_one_unknown_id() {
    let world = World::new();
    let (up, down) = (world.running("a").await, world.launch("b").await);
    let word = || async {
        let checks = world.cloud.status_checks(&home(), &[up.clone(), down.clone()]).await.unwrap();
        assert_eq!((checks.len(), &checks[0].instance), (1, &checks[0].system), "only those that run are told of");
        checks[0].instance.clone()
    };
    assert_eq!(word().await, "initializing");
    world.pass(29);
    assert_eq!(word().await, "initializing");
    world.cloud.terminate(&home(), &down).await.unwrap();
    world.pass(91);
    assert_eq!(word().await, "ok");
    let stranger: InstanceId = "i-0123456789abcdef0".parse().unwrap();
    assert_eq!(code(world.cloud.status_checks(&home(), &[up.clone(), stranger]).await), "InvalidInstanceID.NotFound");
    assert_eq!(code(world.cloud.status_checks(&home(), &vec![up; 101]).await), "InvalidParameterValue");
}

#[tokio::test]
async fn tags_and_monitoring_are_kept_within_ec2s_limits() {
    let mut world = World::new();
    let id = world.running("a").await;
    let tag = |key: &str| BTreeMap::from([(key.to_owned(), "v".to_owned())]);
    world.cloud.update_tags(&home(), &id, &tag("team"), &["Name".into(), "absent".into()]).await.unwrap();
    world.cloud.set_monitoring(&home(), &id, true).await.unwrap();
    world.reopen();
    let seen = world.see(&id).await.unwrap();
    assert_eq!(seen.tags.keys().map(String::as_str).collect::<Vec<_>>(), [WORKER_TAG, "team"]);
    assert!(seen.detailed_monitoring);
    assert_eq!(code(world.cloud.update_tags(&home(), &id, &tag("aws:x"), &[]).await), "InvalidParameterValue");
    let many = (0..49).map(|n| (format!("k{n}"), String::new())).collect();
    assert_eq!(code(world.cloud.update_tags(&home(), &id, &many, &[]).await), "TagLimitExceeded");
    assert_eq!(world.see(&id).await.unwrap().tags.len(), 2);
}

#[tokio::test]
async fn images_are_found_by_name_and_owner() {
    let world = World::new();
    let names = |pattern: &'static str, owners: &'static [&'static str]| async {
        let owners: Vec<String> = owners.iter().map(|&owner| owner.to_owned()).collect();
        let found = world.cloud.images(&home(), pattern, &owners).await.unwrap();
        found.into_iter().map(|image| image.name).collect::<Vec<_>>()
    };
    let own = ["cml-2.9.1-47-amd64", "cml-2.9.0-14-amd64", "cml-2.8.0-6-amd64"];
    assert_eq!(names("cml-2.*", &["self"]).await, own);
    assert_eq!(names("cml-2.*", &["123456789012"]).await, own);
    assert_eq!(names("cml-2.?.1*", &["self"]).await, own[..1]);
    assert!(names("cml-2.*", &[]).await.contains(&"cml-2.99.0-1-amd64".to_owned()), "a stranger's, for want of owners");
    assert_eq!(names("ubuntu/*", &["self"]).await, [""; 0]);
    let abroad = world.cloud.images(&place("210987654321", "us-east-1"), "cml-2.9.1*", &["self".into()]).await.unwrap();
    assert_ne!(abroad[0].id, request("a").ami_id);
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_told_and_then_no_more() {
    let world = World::new();
    let fault = |call: &str, error: &str, count| Fault { call: call.into(), error: error.into(), count };
    world.cloud.inject_fault(fault("RunInstances", "InsufficientInstanceCapacity", 2));
    world.cloud.inject_fault(fault("DescribeInstances", "RequestLimitExceeded", 1));
    for _ in 0..2 {
        assert_eq!(code(world.cloud.run_instance(&home(), &request("a")).await), "InsufficientInstanceCapacity");
    }
    assert_eq!(world.cloud.instances().len(), 0);
    let id = world.launch("a").await;
    let all = InstanceFilter::Ids(vec![id.clone()]);
    assert_eq!(code(world.cloud.describe(&home(), &all).await), "RequestLimitExceeded");
    assert_eq!(world.cloud.describe(&home(), &all).await.unwrap().len(), 1);
    assert_eq!((world.cloud.calls()["RunInstances"], world.cloud.calls()["DescribeInstances"]), (3, 2));
}

#[tokio::test]
async fn a_timeout_after_success_did_what_was_asked() {
    let world = World::new();
    world.cloud.inject_fault(Fault { call: "RunInstances".into(), error: TIMEOUT_AFTER_SUCCESS.into(), count: 1 });
    assert_eq!(code(world.cloud.run_instance(&home(), &request("a")).await), "timeout");
    let launched = world.cloud.instances();
    assert_eq!(launched.len(), 1);
    assert_eq!(world.launch("a").await.as_str(), launched[0].instance_id);
    assert_eq!((world.cloud.instances().len(), launched[0].worker_id.as_deref()), (1, Some("wkr-a")));
}

#[tokio::test]
async fn a_type_without_capacity_is_neither_launched_nor_started_until_the_instance_has_another() {
    let world = World::new();
    let id = world.launch("a").await;
    world.pass(30);
    let zone = world.see(&id).await.unwrap().availability_zone;
    world.cloud.set_scarce(vec![Scarce { instance_type: "c5.2xlarge".into(), availability_zone: zone }]);
    // EC2 chooses a zone that has some, where none is asked for; and a bound token finds its instance.
    world.launch("b").await;
    assert_eq!(world.launch("a").await, id);
    world.cloud.stop(&home(), &id).await.unwrap();
    assert_eq!(code(world.cloud.modify_type(&home(), &id, "c5.4xlarge").await), "IncorrectInstanceState");
    world.pass(60);
    assert_eq!(code(world.cloud.start(&home(), &id).await), "InsufficientInstanceCapacity");
    assert_eq!(code(world.cloud.modify_type(&home(), &id, "c5.huge").await), "InvalidParameterValue");
    world.cloud.modify_type(&home(), &id, "c5.4xlarge").await.unwrap();
    world.cloud.start(&home(), &id).await.unwrap();
    assert_eq!(world.see(&id).await.unwrap().instance_type, "c5.4xlarge");
    world.cloud.set_scarce(vec![Scarce { instance_type: "c5.2xlarge".into(), availability_zone: None }]);
    assert_eq!(code(world.cloud.run_instance(&home(), &request("c")).await), "InsufficientInstanceCapacity");
    assert_eq!(world.cloud.instances().len(), 2);
}
