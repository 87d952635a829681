//! Instances that nobody manages: found, told, never taken over, and gone only after two misses.

use app::AppError;
use app::message::{DiscoverInstances, Message};
use app::ports::Queue;
use app::use_cases::discover_instances::discover_instances;
use app::use_cases::discover_workers::discover_workers;
use app::use_cases::dispatch_discovery::dispatch_discovery;
use app::use_cases::import_workers::{NewImport, import_workers};
use domain::Place;
use domain::discovery::Discovered;

use super::world::{World, asked, home, place};

fn world() -> World {
    World::with(|settings| settings.discovery_places = vec![home(), place("123456789012", "eu-west-1")])
}

async fn found(world: &World) -> Vec<Discovered> {
    world.ctx.store.list_discovered(50, None).await.unwrap().items
}

async fn sweep(world: &World) {
    dispatch_discovery(&world.ctx).await.unwrap();
    world.deliver().await;
}

#[tokio::test]
async fn a_cml_instance_of_a_trusted_image_is_found_and_neither_tagged_nor_claimed() {
    let world = world();
    let running = world.seed("field lab", None, true);
    let stopped = world.seed("old lab", None, false);
    world.seed("web server", Some("ami-0fedcba9876543210"), true);
    let managed = world.running_worker("ours").await;
    sweep(&world).await;
    let mut ids: Vec<String> = found(&world).await.iter().map(|one| one.instance_id.to_string()).collect();
    ids.sort();
    let mut expected = vec![running.clone(), stopped];
    expected.sort();
    assert_eq!(ids, expected, "{managed} is not among them");
    assert_eq!(world.calls("CreateTags"), 0);
    let instance = running.parse().unwrap();
    assert_eq!(world.ctx.store.claimant(&home(), &instance).await.unwrap(), None);
}

#[tokio::test]
async fn one_that_is_imported_is_no_longer_listed_after_the_next_look() {
    let world = world();
    let id = world.seed("field lab", None, true);
    sweep(&world).await;
    assert_eq!(found(&world).await[0].name.as_deref(), Some("field lab"));
    let import = NewImport { region: "us-east-1".into(), instance_id: Some(id), ..NewImport::default() };
    let import = import_workers(&world.ctx, &asked(), import).await.unwrap();
    world.succeeded(import.id).await;
    sweep(&world).await;
    assert!(found(&world).await.is_empty());
}

#[tokio::test]
async fn one_with_our_tag_that_no_worker_stands_for_is_found_by_it() {
    let world = world();
    let id = world.seed("left behind", Some("ami-0fedcba9876543210"), true);
    let worker = "wkr_of_another_fleet";
    let tags =
        [("ccm:managed", "true"), ("ccm:worker-id", worker)].map(|(key, value)| (key.into(), value.into())).into();
    app::ports::Ec2::update_tags(&world.cloud, &home(), &id.parse().unwrap(), &tags, &[]).await.unwrap();
    sweep(&world).await;
    let found = found(&world).await;
    assert_eq!((found.len(), found[0].tagged, found[0].worker_tag.as_deref()), (1, true, Some(worker)));
}

#[tokio::test]
async fn one_is_gone_only_after_two_looks_a_while_apart_that_do_not_show_it() {
    let world = world();
    let id = world.seed("field lab", None, true);
    sweep(&world).await;
    world.ec2.blind(true);
    // A message that is delivered twice is one look.
    sweep(&world).await;
    sweep(&world).await;
    let missed = found(&world).await;
    assert_eq!((missed.len(), missed[0].missed_since), (1, Some(world.now())));
    world.pass(300);
    world.ec2.blind(false);
    sweep(&world).await;
    assert_eq!(found(&world).await[0].missed_since, None);
    world.cloud.terminate_by_hand(&id).unwrap();
    sweep(&world).await;
    assert_eq!(found(&world).await.len(), 1);
    world.pass(300);
    sweep(&world).await;
    assert!(found(&world).await.is_empty());
}

#[tokio::test]
async fn a_region_that_refuses_is_told_and_stops_no_other_and_what_was_known_of_it_stays() {
    let world = world();
    world.seed("field lab", None, true);
    sweep(&world).await;
    // eu-west-1 comes first in the order of places.
    world.fault("DescribeInstances", "UnauthorizedOperation", 1);
    sweep(&world).await;
    let errors = |looks: Vec<app::store::PlaceLook>| -> Vec<(Place, bool)> {
        looks.into_iter().map(|look| (look.place, look.error.is_some())).collect()
    };
    let looks = world.ctx.store.place_looks(world.now()).await.unwrap();
    assert_eq!(errors(looks), [(place("123456789012", "eu-west-1"), true), (home(), false)]);
    world.fault("DescribeInstances", "UnauthorizedOperation", 1);
    discover_instances(&world.ctx, &world.ec2, &home()).await.unwrap();
    assert_eq!(found(&world).await.len(), 1);
}

#[tokio::test]
async fn places_are_those_of_the_settings_and_where_workers_run_and_asking_twice_at_once_is_refused() {
    let world = World::new();
    world.running_worker("lab").await;
    assert_eq!(discover_workers(&world.ctx).await.unwrap(), [home()]);
    let sent = world.queue.take();
    let [(Queue::Discovery, body)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(DiscoverInstances::read(body).unwrap().place, home());
    assert!(matches!(discover_workers(&world.ctx).await, Err(AppError::TooSoon { .. })));
}
