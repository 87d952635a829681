//! What must be so of labs and of the ends of workers when the weather has been good for hours.

use std::sync::Arc;

use app::store::StoredWish;
use domain::reconcile::lab::DesiredLab;
use domain::worker::{DesiredState, Worker, WorkerStatus};
use domain::{SignedDuration, WorkerId};
use serde_json::Value;

use crate::executor::{MINUTE, Moment, Sim};
use crate::rules::Rule;
use crate::world::World;

/// How long a wish for a lab may take, in good weather: a slow boot, two schedules, and the looks between.
const WISH_TAKES: Moment = 90 * MINUTE;
/// Longer than every end of a worker may take with its termination, and some time to see it.
const END_TAKES: SignedDuration = SignedDuration::from_mins(180 + 45 + 30);

/// Looks at everything once more.
pub(crate) async fn check(world: &Arc<World>) {
    for item in world.dynamo.memory.items() {
        let id = item.attributes.get("id").and_then(Value::as_str).and_then(|id| id.parse::<WorkerId>().ok());
        if let Some(id) = id.filter(|_| item.sk == "WORKER") {
            check_worker(world, id).await;
        }
    }
}

async fn check_worker(world: &Arc<World>, id: WorkerId) {
    let truth = world.truth();
    let (Ok(worker), Ok(wishes), Ok(ending)) = futures::join!(truth.worker(id), truth.lab_wishes(id), truth.ending(id))
    else {
        world.monitor.violated(Rule::LabWishesConverge, format!("what is wished of labs of {id} cannot be read"));
        return;
    };
    let mut ends = false;
    if let Some(ending) = ending {
        match truth.operation(ending.operation_id).await {
            Ok(operation) => {
                ends = !operation.status.is_final();
                let takes = Sim::timestamp(world.sim.now()).duration_since(operation.requested_at);
                if ends && takes > END_TAKES {
                    let detail = format!("{id} is being ended by {} for {takes:#}", operation.id);
                    world.monitor.violated(Rule::EndingsEnd, detail);
                }
            }
            Err(error) => world.monitor.violated(Rule::EndingsEnd, format!("the end of {id} cannot be read: {error}")),
        }
    }
    let gone = worker.status == WorkerStatus::Terminated && worker.desired == DesiredState::Terminated;
    if gone && !wishes.is_empty() && old(world, Sim::moment(worker.updated_at)) {
        let detail = format!("{id} is gone, and {} wishes for its labs are not", wishes.len());
        world.monitor.violated(Rule::LabWishesConverge, detail);
    }
    if ends || worker.desired != DesiredState::Running || worker.status != WorkerStatus::Running {
        return;
    }
    for wish in wishes {
        check_wish(world, &worker, &wish);
    }
}

/// Long enough ago to be settled by now.
fn old(world: &World, at: Moment) -> bool {
    world.sim.now() - at > WISH_TAKES
}

fn check_wish(world: &World, worker: &Worker, stored: &StoredWish) {
    let Some(instance) = worker.instance.as_ref().map(|facts| &facts.id) else { return };
    let Some(since) = world.park.running_since(instance) else { return };
    let (lab, deleted_at) =
        world.park.with(instance, |one| (one.labs.get(stored.lab_id.as_str()).cloned(), one.lab_deleted_at));
    let turned_at = lab.as_ref().map_or(deleted_at, |lab| lab.turned_at);
    let changed_at = [since, turned_at, Sim::moment(stored.wish.wished_at)].into_iter().max().unwrap_or(0);
    if !old(world, changed_at) {
        return;
    }
    let so = lab.as_ref().is_some_and(|lab| lab.runs(since) == (stored.wish.desired == DesiredLab::Started));
    if so || is_explained(world, stored) {
        return;
    }
    let shows = lab.map(|lab| lab.state(since));
    let decided = stored.decided.as_ref().map(|(at, decision)| format!("{at}: {}", decision.reason));
    let detail = format!(
        "lab {} of {} is wished {}, shows {shows:?}. Decided {decided:?}",
        stored.lab_id,
        worker.id,
        stored.wish.desired.name()
    );
    world.monitor.violated(Rule::LabWishesConverge, detail);
}

/// Whether it is told why what is wished is not so, and who has to go on.
fn is_explained(world: &World, stored: &StoredWish) -> bool {
    let in_bad_weather = Sim::moment(stored.wish.wished_at) < world.weather.until();
    stored.decided.as_ref().is_some_and(|(_, decision)| match decision.action.name() {
        // What was wished in bad weather may have had to be given up.
        "give_up" => in_bad_weather,
        "wait" => decision.reason.contains("it is respected until"),
        _ => false,
    })
}
