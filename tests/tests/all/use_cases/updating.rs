//! Tags, names and monitoring: EC2 is made to say what the worker says, and nothing else of it changes.

use std::collections::BTreeMap;

use app::ports::{Ec2, InstanceFilter};
use app::use_cases::update_worker::update_worker;
use app::use_cases::worker_commands::set_monitoring;
use domain::instance::InstanceObservation;
use domain::operation::OperationStatus;
use domain::worker::command::Update;
use domain::{OperationId, WorkerId};

use super::world::{World, asked, home};

async fn seen(world: &World, id: WorkerId) -> InstanceObservation {
    let instance = world.instance(id).await.parse().unwrap();
    world.ec2.describe(&home(), &InstanceFilter::Ids(vec![instance])).await.unwrap().remove(0)
}

async fn newest_operation(world: &World, id: WorkerId) -> OperationId {
    world.ctx.store.list_operations(Some(id), 1, None).await.unwrap().items[0].id
}

fn set(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

#[tokio::test]
async fn tags_set_removed_and_changed_and_a_new_name_equal_ec2s_and_other_tags_stay() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let instance = world.instance(id).await.parse().unwrap();
    world.ec2.update_tags(&home(), &instance, &set("cost-centre", "42"), &[]).await.unwrap();

    let updates = [
        Update { set_tags: set("course", "ccna"), ..Update::default() },
        Update { set_tags: set("course", "ccnp"), name: Some("lab two".into()), ..Update::default() },
        Update { set_tags: set("team", "x"), remove_tags: vec!["course".into()], ..Update::default() },
    ];
    for update in updates {
        let after = update_worker(&world.ctx, &asked(), id, update).await.unwrap();
        let operation = newest_operation(&world, id).await;
        world.succeeded(operation).await;
        let mut tags = seen(&world, id).await.tags;
        assert_eq!(tags.remove("Name"), Some(after.name));
        assert_eq!(tags.remove("cost-centre").as_deref(), Some("42"), "a tag of others");
        assert_eq!(tags.remove("ccm:worker-id"), Some(id.to_string()));
        assert_eq!(tags.remove("ccm:managed").as_deref(), Some("true"));
        assert_eq!(tags, after.tags);
    }
}

#[tokio::test]
async fn a_change_that_ec2_does_not_show_starts_no_operation() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    let before = newest_operation(&world, id).await;
    let update = Update { owner: Some(Some("bob".into())), ..Update::default() };
    assert_eq!(update_worker(&world.ctx, &asked(), id, update).await.unwrap().owner.as_deref(), Some("bob"));
    assert_eq!(newest_operation(&world, id).await, before);
}

#[tokio::test]
async fn a_crash_during_an_update_leaves_either_nothing_changed_or_an_operation_that_finishes_it() {
    for writes in 0..3 {
        let world = World::new();
        let id = world.running_worker("lab").await;
        let before = world.worker(id).await;
        world.table.memory.fail_writes_after(writes);
        let update = Update { set_tags: set("course", "ccna"), ..Update::default() };
        let _ = update_worker(&world.ctx, &asked(), id, update).await;
        world.table.memory.heal();
        world.ticks(3).await;
        let after = world.worker(id).await;
        let shown = seen(&world, id).await.tags.contains_key("course");
        assert_eq!(after.tags != before.tags, shown, "after {writes} writes");
    }
}

#[tokio::test]
async fn monitoring_goes_on_and_off_and_the_result_says_what_it_costs() {
    let world = World::new();
    let id = world.running_worker("lab").await;
    for (enabled, cost) in [(true, 2.1), (false, 0.0)] {
        let operation = set_monitoring(&world.ctx, &asked(), id, enabled).await.unwrap();
        let done = world.succeeded(operation.id).await;
        assert_eq!(done.result.unwrap().monthly_cost_usd, Some(cost));
        assert_eq!(seen(&world, id).await.detailed_monitoring, enabled);
        assert_eq!(world.worker(id).await.instance.unwrap().detailed_monitoring, enabled);
    }
    assert_eq!(world.ended(newest_operation(&world, id).await).await.status, OperationStatus::Succeeded);
}
