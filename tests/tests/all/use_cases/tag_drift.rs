//! Tags of ours that somebody changed or took off in EC2.

use std::collections::BTreeMap;

use app::ports::{Ec2, InstanceFilter};
use domain::InstanceId;
use domain::drift::DriftKind;
use domain::operation::OperationStatus;

use super::reconciling::{begun, events, no_idle_shutdown, record};
use super::world::{World, home};

async fn tags_of(world: &World, instance: InstanceId) -> BTreeMap<String, String> {
    let seen = world.ec2.describe(&home(), &InstanceFilter::Ids(vec![instance])).await.unwrap();
    seen.into_iter().next().unwrap().tags
}

#[tokio::test]
async fn tags_that_somebody_changed_are_named_and_made_right_once() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    no_idle_shutdown(&world, id).await;
    let instance = world.instance(id).await.parse().unwrap();
    let set = BTreeMap::from([("Name".to_owned(), "mine".to_owned()), ("cost".to_owned(), "7".to_owned())]);
    world.cloud.update_tags(&home(), &instance, &set, &[]).await.unwrap();
    let before = world.calls("CreateTags");
    world.ticks(20).await;
    assert_eq!(world.calls("CreateTags"), before + 1);
    let drift = events(&world, id, "worker.drifted").await;
    assert_eq!(drift, [serde_json::json!({"name": "tags", "was": "Name=lab", "is": "Name=mine"})]);
    let tags = tags_of(&world, instance).await;
    assert_eq!((tags["Name"].as_str(), tags["cost"].as_str()), ("lab", "7"), "what is not ours is left");
    assert_eq!(record(&world, id).await.drift, []);
    assert_eq!(begun(&world, id).await.len(), 1);
}

#[tokio::test]
async fn a_mark_of_ours_that_was_taken_off_is_named_and_put_back() {
    for mark in ["ccm:worker-id", "ccm:managed"] {
        let world = World::new();
        let id = world.ready_worker("lab").await;
        no_idle_shutdown(&world, id).await;
        let instance = world.instance(id).await.parse().unwrap();
        let ours = world.worker(id).await.ec2_tags();
        world.cloud.update_tags(&home(), &instance, &BTreeMap::new(), &[mark.to_owned()]).await.unwrap();
        world.ticks(20).await;
        let drift = events(&world, id, "worker.drifted").await;
        let was = format!("{mark}={}", ours[mark]);
        assert_eq!(drift, [serde_json::json!({"name": "tags", "was": was, "is": format!("{mark}=")})]);
        assert_eq!(tags_of(&world, instance).await, ours);
        assert_eq!(record(&world, id).await.drift, []);
        assert!(!world.power_reason(id).await.contains("ccm:managed"));
    }
}

#[tokio::test]
async fn a_mark_that_aws_does_not_let_us_put_back_is_asked_of_people_and_the_rest_is_healed_after() {
    let world = World::new();
    let id = world.ready_worker("lab").await;
    no_idle_shutdown(&world, id).await;
    let instance: InstanceId = world.instance(id).await.parse().unwrap();
    let ours = world.worker(id).await.ec2_tags();
    let both = ["ccm:managed".to_owned(), "ccm:worker-id".to_owned()];
    world.cloud.update_tags(&home(), &instance, &BTreeMap::new(), &both).await.unwrap();
    // As AWS does where the tag is gone.
    world.fault("CreateTags", "UnauthorizedOperation", 1);
    world.ticks(40).await;
    let healing = begun(&world, id).await;
    assert_eq!(healing.iter().map(|one| one.status).collect::<Vec<_>>(), [OperationStatus::Failed], "tried once");
    assert_eq!(record(&world, id).await.drift[0].kind, DriftKind::Tags);
    let reason = world.power_reason(id).await;
    assert!(reason.ends_with("put the tag back on the instance by hand."), "{reason}");
    let by_hand = [("ccm:managed".to_owned(), "true".to_owned())].into();
    world.cloud.update_tags(&home(), &instance, &by_hand, &[]).await.unwrap();
    world.ticks(40).await;
    assert_eq!(tags_of(&world, instance).await, ours);
    assert_eq!((record(&world, id).await.drift, begun(&world, id).await.len()), (vec![], 2));
    assert!(!world.power_reason(id).await.contains("ccm:managed"));
}
