//! CML that people launch at EC2, beside the product; and those who take it over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use app::ports::LaunchRequest;
use app::use_cases::import_workers::{NewImport, import_workers};
use domain::worker::LaunchSpec;
use domain::{InstanceId, Place};
use futures::future::join_all;

use crate::executor::{HOUR, MINUTE, SECOND};
use crate::faults::Fault;
use crate::lab_users::{session, use_labs};
use crate::users::{Slot, act, insist};
use crate::world::{World, places};

/// How many take the same one over where they do not know of each other.
const AT_ONCE: u32 = 4;
/// How long somebody looks for the worker that their import made.
const LOOKS: u32 = 30;

/// Launches some, while the weather is bad.
pub(crate) async fn newcomers(world: Arc<World>) {
    while world.weather.is_bad() {
        let time = world.sim.pick(MINUTE, HOUR);
        world.sim.pause(time).await;
        if world.weather.strikes(Fault::LaunchedByHand) {
            let number = usize::from(world.sim.chance(0.5));
            if let Some(place) = places().get(number) {
                world.sim.spawn(life(world.clone(), place.clone()));
            }
        }
        world.sim.pause(HOUR - time).await;
    }
}

/// One of them.
async fn life(world: Arc<World>, place: Place) {
    let Some(instance) = world.cloud.launch(&place, &by_hand(&world)) else { return };
    world.sim.note(|| format!("somebody launches CML at EC2: {instance}"));
    let time = world.sim.pick(10 * MINUTE, 2 * HOUR);
    world.sim.pause(time).await;
    if world.park.is_usable(&instance) {
        session(&world, &instance).await;
    }
    if world.sim.chance(0.2) {
        // Nobody takes it over, and it is nobody's business.
        return;
    }
    if world.sim.chance(0.5) {
        // Some people at the same time.
        join_all((0..AT_ONCE).map(|_| import(&world, &place, &instance))).await;
    } else {
        import(&world, &place, &instance).await;
    }
    let mut worker = None;
    for _ in 0..LOOKS {
        world.sim.pause(30 * SECOND).await;
        worker = world.truth().claimant(&place, &instance).await.unwrap_or_default();
        if worker.is_some() {
            break;
        }
    }
    let Some(worker) = worker else { return };
    let slot: Slot = Arc::new(Mutex::new(Some(worker)));
    world.sim.spawn(use_labs(world.clone(), slot));
    for _ in 0..world.sim.pick(0, 4) {
        let time = world.sim.pick(MINUTE, 2 * HOUR);
        world.sim.pause(time).await;
        if !world.weather.is_bad() {
            return;
        }
        act(&world, worker).await;
    }
}

async fn import(world: &Arc<World>, place: &Place, instance: &InstanceId) {
    let all = world.sim.chance(0.5);
    let new = NewImport {
        region: place.region.to_string(),
        account_id: Some(place.account.to_string()),
        instance_id: (!all).then(|| instance.to_string()),
        all,
        ..NewImport::default()
    };
    insist(world, "import", move |world, asked| {
        let new = new.clone();
        async move { import_workers(world.ctx(), &asked, new).await }
    })
    .await;
}

fn by_hand(world: &World) -> LaunchRequest {
    LaunchRequest {
        client_token: format!("by hand {}", world.sim.pick(0, i64::MAX - 1)),
        ami_id: "ami-0123456789abcdef0".into(),
        spec: LaunchSpec::of_type("c5.2xlarge"),
        tags: BTreeMap::from([("Name".to_owned(), "by-hand".to_owned())]),
    }
}
