//! What must be so when the weather has been good for hours.

use std::sync::Arc;

use app::store::PowerDue;
use domain::worker::{DesiredState, Worker, WorkerStatus};
use domain::{OperationId, SignedDuration, WorkerId};
use serde_json::Value;

use crate::executor::{HOUR, MINUTE, Sim};
use crate::invariants::live_machines;
use crate::rules::Rule;
use crate::world::World;

/// How long a wish may take, in good weather: two slow boots, and the looks between.
const WISH_TAKES: SignedDuration = SignedDuration::from_mins(75);
/// How late something may be that is due every minute.
const LATE: SignedDuration = SignedDuration::from_mins(15);

/// Looks at everything once more.
pub(crate) async fn check(world: &Arc<World>) {
    let items = world.dynamo.memory.items();
    for item in &items {
        let id = item.attributes.get("id").and_then(Value::as_str).unwrap_or_default();
        match item.sk.as_str() {
            "WORKER" => match id.parse() {
                Ok(id) => check_worker(world, id).await,
                Err(_) => world.monitor.violated(Rule::StaysDue, format!("an odd worker {id}")),
            },
            "OP" => match id.parse() {
                Ok(id) => check_operation(world, id).await,
                Err(_) => world.monitor.violated(Rule::OperationsEnd, format!("an odd operation {id}")),
            },
            _ => {}
        }
    }
    check_machines(world).await;
    for message in world.sqs.stuck() {
        world.monitor.violated(Rule::NoMessageLost, format!("stuck: {message}"));
    }
    for event in world.monitor.unpublished() {
        world.monitor.violated(Rule::EventsPublished, format!("{event} was never published"));
    }
}

async fn check_operation(world: &Arc<World>, id: OperationId) {
    let now = Sim::timestamp(world.sim.now());
    match world.truth().operation(id).await {
        Ok(operation) if !operation.status.is_final() && now.duration_since(operation.expires_at) > LATE => {
            let (kind, status) = (operation.task.kind(), operation.status.name());
            let detail = format!("{id} {kind} is {status}, its deadline was {}", operation.expires_at);
            world.monitor.violated(Rule::OperationsEnd, detail);
        }
        Ok(_) => {}
        Err(error) => world.monitor.violated(Rule::OperationsEnd, format!("{id} cannot be read: {error}")),
    }
}

/// Every machine of ours that costs is some worker's.
async fn check_machines(world: &Arc<World>) {
    let machines = world.cloud.each(|machine| {
        let worker = machine.worker()?.clone();
        machine.is_live().then(|| (machine.shown.id.clone(), worker))
    });
    for (machine, worker) in machines {
        let claimed = match worker.parse::<WorkerId>() {
            Ok(id) => world.truth().worker(id).await.ok(),
            Err(_) => None,
        };
        let claimed = claimed.filter(|one| !one.status.is_final() && one.status != WorkerStatus::Failed);
        if claimed.and_then(|one| one.instance).is_none_or(|facts| facts.id != machine) {
            world.monitor.violated(Rule::NoOrphan, format!("{machine} costs, and {worker} does not know of it"));
        }
    }
}

async fn check_worker(world: &Arc<World>, id: WorkerId) {
    let (worker, due) = match (world.truth().worker(id).await, world.truth().power(id).await) {
        (Ok(worker), Ok(due)) => (worker, due),
        (Err(error), _) | (_, Err(error)) => {
            world.monitor.violated(Rule::StaysDue, format!("{id} cannot be read: {error}"));
            return;
        }
    };
    let now = Sim::timestamp(world.sim.now());
    if worker.status.is_final() {
        let live = live_machines(&world.cloud, &id.to_string());
        if !live.is_empty() {
            world.monitor.violated(Rule::NotGoneWhileThere, format!("{id} is terminated, and {live:?} cost"));
        }
        // Gone as wished: nothing is due any more.
        if worker.desired == DesiredState::Terminated {
            return;
        }
    }
    if due.as_ref().is_none_or(|due| now.duration_since(due.due_at) > LATE) {
        let due_at = due.as_ref().map(|due| due.due_at);
        world.monitor.violated(Rule::StaysDue, format!("{id} is {} and due {due_at:?}", worker.status.name()));
    }
    check_wish(world, &worker, due.as_ref());
    check_idle(world, &worker);
}

fn check_wish(world: &Arc<World>, worker: &Worker, due: Option<&PowerDue>) {
    let now = Sim::timestamp(world.sim.now());
    let live = live_machines(&world.cloud, &worker.id.to_string());
    let runs = worker.instance.as_ref().is_some_and(|facts| world.park.running_since(&facts.id).is_some());
    let so = match worker.desired {
        DesiredState::Running => worker.status == WorkerStatus::Running && runs,
        DesiredState::Stopped => !runs && worker.status != WorkerStatus::Running,
        DesiredState::Terminated => live.is_empty(),
    };
    let wished_at = world.monitor.user_wished(&worker.id.to_string()).unwrap_or(0);
    // What somebody wished in good weather comes true; before, it may be that it had to be given up.
    let explained = wished_at < world.weather.until() && due.is_some_and(is_explained);
    if so || explained || now.duration_since(worker.updated_at) < WISH_TAKES {
        return;
    }
    let (wanted, status) = (worker.desired.name(), worker.status.name());
    let decided = due.and_then(|due| due.decided.as_ref()).map(|(at, decided)| format!("{at}: {}", decided.reason));
    let detail = format!(
        "{} is wanted {wanted}, is {status} (runs: {runs}, live: {live:?}). {} Decided {decided:?}",
        worker.id, worker.state_reason
    );
    world.monitor.violated(Rule::WishesConverge, detail);
}

/// Whether it is told why what is wished is not so, and who has to go on.
fn is_explained(due: &PowerDue) -> bool {
    due.decided.as_ref().is_some_and(|(_, decided)| match decided.action.name() {
        "ask" | "give_up" => true,
        // Somebody did it by hand, and it is left so for a stated time.
        "wait" => {
            let by_hand = decided.reason.contains("outside CML Cloud Manager");
            by_hand && (decided.next_action_at.is_some() || decided.reason.contains("in use"))
        }
        _ => false,
    })
}

/// Whoever is idle for two timeouts in good weather is stopped by then.
fn check_idle(world: &Arc<World>, worker: &Worker) {
    let now = world.sim.now();
    let Some(instance) = worker.instance.as_ref().map(|facts| facts.id.clone()) else { return };
    let Some(since) = world.park.running_since(&instance) else { return };
    // What ran before anybody here knew of it does not count against one that was imported.
    let since = since.max(Sim::moment(worker.created_at));
    let timeout = worker.idle_policy.timeout_minutes.map_or(HOUR, |minutes| i64::from(minutes) * MINUTE);
    let patience = timeout + 40 * MINUTE;
    let quiet = since < now - patience && world.park.used_between(&instance, now - patience, now + 1).is_none();
    if quiet && worker.idle_policy.enabled && worker.desired == DesiredState::Running {
        let ago = (now - since) / MINUTE;
        let detail = format!("{} runs for {ago} min, nobody uses it, and it is not stopped", worker.id);
        world.monitor.violated(Rule::IdleStopped, detail);
    }
}
