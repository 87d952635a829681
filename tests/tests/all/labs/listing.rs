//! Labs are read into the table, by as few calls as it takes, and leave it when they are gone for certain.

use app::AppError;
use app::ports::{Clock, CmlLabs, Item};
use app::use_cases::lab_commands::refresh_labs;
use app::use_cases::read_labs::{list_labs, list_worker_labs, sees_worker};
use domain::lab::Lab;
use domain::operation::Operation;
use domain::{LabId, Role, SignedDuration, Visibility};
use local_controllers::{ADMIN_USERNAME, ControllerFault, FaultOrder, POLLER_USERNAME};

use super::world::{LabWorld, TWO_NODES, asked, person};

impl LabWorld {
    async fn refresh(&self) -> Operation {
        self.clock.advance(SignedDuration::from_secs(11));
        let manager = asked(&person(Role::Manager, "mia"));
        let operation = refresh_labs(&self.ctx, &manager, self.worker(0)).await.unwrap();
        self.ended(operation.id).await
    }

    async fn stored(&self) -> Vec<Lab> {
        self.ctx.store.all_worker_labs(self.worker(0)).await.unwrap()
    }
}

#[tokio::test]
async fn two_hundred_labs_are_read_by_one_listing_and_none_by_itself() {
    let world = LabWorld::new().await;
    for n in 0..200 {
        world.controllers.seed_lab(&world.workers[0].1, &format!("Lab {n}"), 2, false).unwrap();
    }
    // One call for the tiles and one for the ids are answered; whatever else is asked of labs is not.
    for path in ["/populate_lab_tiles", "/labs"] {
        world.order(0, FaultOrder::once(ControllerFault::Slow(0)).at("GET", path)).await;
        world.order(0, FaultOrder::once(ControllerFault::BadGateway).always().at("GET", path)).await;
    }
    world.order(0, FaultOrder::once(ControllerFault::BadGateway).always().at("GET", "/labs/*")).await;
    let operation = world.refresh().await;
    assert_eq!(operation.result.unwrap().detail.as_deref(), Some("200 labs were read."));
    assert_eq!(world.stored().await.len(), 200);
    // Another reading would not come through: the first was one call each.
    let way = world.way(0).await;
    assert!(world.client.labs(way.access()).await.is_err());
}

#[tokio::test]
async fn a_lab_leaves_the_table_after_two_full_listings_without_it_and_not_before() {
    let world = LabWorld::new().await;
    let (kept, gone) = (world.lab(0, TWO_NODES).await, world.lab(0, TWO_NODES).await);
    let way = world.way(0).await;
    world.client.delete_lab(way.access(), gone.as_str()).await.unwrap();
    let ids = async || world.stored().await.into_iter().map(|lab| lab.id).collect::<Vec<LabId>>();
    let missing = async || world.stored().await.into_iter().find(|lab| lab.id == gone).map(|lab| lab.missing_since);
    // A listing that fails says nothing of any lab.
    world.fault(0, ControllerFault::BadGateway, "GET", "/labs").await;
    world.read_labs(0).await;
    assert_eq!((ids().await.len(), missing().await), (2, Some(None)));
    world.refresh().await;
    assert!(missing().await.unwrap().is_some(), "absent once");
    world.refresh().await;
    assert_eq!(ids().await, [kept], "absent twice");
}

#[tokio::test]
async fn a_lab_that_is_there_but_cannot_be_read_is_not_missing() {
    let world = LabWorld::new().await;
    let lab = world.lab(0, TWO_NODES).await;
    for _ in 0..3 {
        world.order(0, FaultOrder::once(ControllerFault::Absent).at("GET", "/populate_lab_tiles")).await;
        world.order(0, FaultOrder::once(ControllerFault::BrokenJson).at("GET", "/labs/*")).await;
        let warnings = world.refresh().await.result.unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(lab.as_str()), "{warnings:?}");
    }
    let stored = world.stored().await;
    assert_eq!((stored.len(), stored[0].missing_since), (1, None));
}

#[tokio::test]
async fn a_refresh_is_asked_for_once_in_ten_seconds() {
    let world = LabWorld::new().await;
    world.refresh().await;
    let manager = asked(&person(Role::Manager, "mia"));
    // The first turn was taken when the refresh was asked for, and it took no time.
    let again = refresh_labs(&world.ctx, &manager, world.worker(0)).await;
    assert!(matches!(again, Err(AppError::TooSoon { .. })), "{again:?}");
    world.clock.advance(SignedDuration::from_secs(11));
    refresh_labs(&world.ctx, &manager, world.worker(0)).await.unwrap();
}

#[tokio::test]
async fn where_users_see_their_own_they_see_their_labs_and_those_on_their_workers() {
    let world = LabWorld::with(|settings| settings.visibility = Visibility::Own).await;
    let polled = world.lab(0, TWO_NODES).await;
    let admins: LabId = world.controllers.seed_lab(&world.workers[0].1, "Of admin", 1, false).unwrap().parse().unwrap();
    world.read_labs(0).await;
    let worker = world.ctx.store.worker(world.worker(0)).await.unwrap();
    let mut both = vec![polled.clone(), admins.clone()];
    both.sort();
    for (who, sees) in [
        (person(Role::User, POLLER_USERNAME), vec![polled]),
        (person(Role::User, ADMIN_USERNAME), vec![admins]),
        (person(Role::User, "ada"), both.clone()),
        (person(Role::User, "eve"), vec![]),
        (person(Role::Manager, "mia"), both),
    ] {
        let ids = |labs: Vec<Lab>| {
            let mut ids: Vec<LabId> = labs.into_iter().map(|lab| lab.id).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(list_labs(&world.ctx, &who, 50, None).await.unwrap().items), sees, "{}", who.username);
        let on_worker = list_worker_labs(&world.ctx, &who, world.worker(0), 50, None).await.unwrap().items;
        assert_eq!(ids(on_worker), sees, "{}", who.username);
        assert_eq!(sees_worker(&world.ctx, &who, &worker).await.unwrap(), !sees.is_empty(), "{}", who.username);
    }
}

#[tokio::test]
async fn a_listing_writes_what_changed_and_says_when_it_was_for_all() {
    let world = LabWorld::new().await;
    let (first, second) = (world.lab(0, TWO_NODES).await, world.lab(0, TWO_NODES).await);
    let before = world.table.items();
    world.refresh().await;
    let began = world.clock.now();
    let lab_items = |items: Vec<Item>| items.into_iter().filter(|item| item.sk.starts_with("LAB#")).collect::<Vec<_>>();
    assert_eq!(lab_items(world.table.items()), lab_items(before.clone()), "nothing has changed");
    assert!(world.stored().await.iter().all(|lab| lab.synced_at == began));
    assert_eq!(world.ctx.store.lab(world.worker(0), &first).await.unwrap().synced_at, began);
    let listed = world.ctx.store.list_labs(50, None).await.unwrap().items;
    assert!(listed.iter().all(|lab| lab.synced_at == began), "{listed:?}");

    let way = world.way(0).await;
    world.client.start_lab(way.access(), second.as_str()).await.unwrap();
    world.refresh().await;
    let changed = lab_items(world.table.items()).into_iter().filter(|item| !before.contains(item));
    assert_eq!(changed.map(|item| item.sk).collect::<Vec<_>>(), [format!("LAB#{second}")]);
    // Where one of them cannot be read, each tells for itself.
    world.order(0, FaultOrder::once(ControllerFault::Absent).at("GET", "/populate_lab_tiles")).await;
    world.order(0, FaultOrder::once(ControllerFault::BrokenJson).at("GET", "/labs/*")).await;
    let last = world.clock.now();
    world.refresh().await;
    let times = world.stored().await.into_iter().map(|lab| lab.synced_at > last).collect::<Vec<_>>();
    assert_eq!(times.iter().filter(|newer| **newer).count(), 1, "{times:?}");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_asked_for_again_for_a_while() {
    let world = LabWorld::new().await;
    world.lab(0, TWO_NODES).await;
    world.order(0, FaultOrder::once(ControllerFault::BrokenJson).at("GET", "/labs").times(2)).await;
    assert_eq!(world.refresh().await.result.unwrap().detail.as_deref(), Some("1 labs were read."));
    world.order(0, FaultOrder::once(ControllerFault::BrokenJson).at("GET", "/labs").always()).await;
    assert_eq!(world.refresh().await.error.unwrap().code, "cml_malformed");
}
