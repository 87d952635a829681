//! People: those who manage workers and change their mind, and those who use them.

use std::sync::{Arc, Mutex, PoisonError};

use app::AppError;
use app::use_cases::command::{Asked, IdempotencyKey};
use app::use_cases::create_worker::{NewWorker, create_worker};
use app::use_cases::reconcile_commands::set_desired_state;
use app::use_cases::refresh_worker::refresh_worker;
use app::use_cases::retire_worker::{retire_worker, terminate_by_force};
use app::use_cases::update_worker::update_worker;
use app::use_cases::worker_commands::{set_monitoring, start_worker, stop_worker};
use domain::operation::Operation;
use domain::session::Person;
use domain::worker::command::Update;
use domain::worker::{DesiredState, LaunchSpec, Worker};
use domain::{Actor, Role, WorkerId};

use crate::controllers::PERSON;
use crate::executor::{HOUR, MINUTE, Moment, SECOND};
use crate::faults::Fault;
use crate::hands::host_fails;
use crate::lab_users::wish_for_lab;
use crate::world::{ACCOUNT, REGIONS, World};

/// How long a request may take. Source: `app::context::REQUEST_TIME_LIMIT`.
const REQUEST_TIME_LIMIT: Moment = 20 * SECOND;
/// Workers that somebody makes one after the other in one place of the fleet.
const WORKERS_OF_A_SLOT: u32 = 6;
/// Tries of a request whose answer did not come.
const TRIES: u32 = 4;

/// A place of the fleet: the worker that is in it now.
pub(crate) type Slot = Arc<Mutex<Option<WorkerId>>>;

pub(crate) fn slot_of(slot: &Slot) -> Option<WorkerId> {
    *slot.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn person() -> Person {
    Person { subject: "alice-1".into(), username: PERSON.into(), role: Role::Admin }
}

/// What the requests of one wish have in common: whoever gets no answer asks again, with the same key.
fn asked(world: &World, function: &str) -> Asked {
    let key = world.sim.pick(0, i64::MAX - 1).to_string();
    let actor = Actor::User { subject: "alice-1".into(), username: PERSON.into() };
    let key = IdempotencyKey::new("alice-1", function, &key, function.as_bytes());
    Asked { actor, if_match: None, key: Some(key) }
}

/// A request through the API: it has so much time, and its function may crash. None when no answer came.
async fn request<T, F>(world: &Arc<World>, call: F) -> Option<Result<T, AppError>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let answer = Arc::new(Mutex::new(None));
    let place = answer.clone();
    world.run(REQUEST_TIME_LIMIT, async move {
        let result = call.await;
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    });
    for _ in 0..=REQUEST_TIME_LIMIT / SECOND {
        world.sim.pause(SECOND).await;
        let answered = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if answered.is_some() {
            return answered;
        }
    }
    None
}

/// Asks until there is an answer that stands.
pub(crate) async fn insist<F, W>(world: &Arc<World>, what: &'static str, call: W) -> Option<Operation>
where
    F: Future<Output = Result<Operation, AppError>> + Send + 'static,
    W: Fn(Arc<World>, Asked) -> F,
{
    let asked = asked(world, what);
    for _ in 0..TRIES {
        // Some do not wait for the answer: the same request twice at once.
        if world.sim.chance(0.05) {
            let hasty = request(world, Box::pin(call(world.clone(), asked.clone())));
            let again = request(world, Box::pin(call(world.clone(), asked.clone())));
            let _ = futures::join!(hasty, again);
        }
        match request(world, Box::pin(call(world.clone(), asked.clone()))).await {
            Some(Ok(operation)) => {
                world.sim.note(|| format!("user: {what} is {} of {:?}", operation.id, operation.target));
                return Some(operation);
            }
            Some(Err(error)) if !error.retryable() => {
                world.sim.note(|| format!("user: {what} is refused: {error}"));
                return None;
            }
            _ => world.sim.pause(30 * SECOND).await,
        }
    }
    None
}

fn new_worker(world: &World) -> NewWorker {
    let region = REGIONS[usize::from(world.sim.chance(0.5))];
    NewWorker {
        name: "lab".into(),
        region: region.into(),
        account_id: Some(ACCOUNT.into()),
        spec: LaunchSpec::of_type(""),
        takes_fleets_types: true,
        owner: None,
        tags: std::collections::BTreeMap::new(),
        desired: if world.sim.chance(0.9) { DesiredState::Running } else { DesiredState::Stopped },
        idle_timeout_minutes: world.sim.chance(0.3).then_some(120),
        cml_endpoint: None,
        cml_credentials_ref: None,
    }
}

/// Somebody who manages one place of the fleet.
pub(crate) async fn manage(world: Arc<World>, slot: Slot) {
    let mut made = 0;
    let first = world.sim.pick(MINUTE, HOUR);
    world.sim.pause(first).await;
    while world.weather.is_bad() {
        let worker = slot_of(&slot);
        let gone = match worker {
            None => true,
            Some(id) => world.truth().worker(id).await.is_ok_and(|worker| worker.status.is_final()),
        };
        let wanted_back = gone && world.sim.chance(0.3);
        if let Some(id) = worker.filter(|_| wanted_back) {
            start(&world, id).await;
        } else if gone && made < WORKERS_OF_A_SLOT {
            made += 1;
            let new = new_worker(&world);
            let create = |world: Arc<World>, asked: Asked| {
                let new = new.clone();
                async move { create_worker(world.ctx(), &asked, new).await }
            };
            if let Some(operation) = insist(&world, "create", create).await {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = operation.target;
            }
        } else if let Some(id) = worker {
            act(&world, id).await;
        }
        let time = if world.sim.chance(0.2) {
            world.sim.pick(SECOND, 3 * MINUTE)
        } else {
            world.sim.pick(10 * MINUTE, 3 * HOUR)
        };
        world.sim.pause(time).await;
    }
    last_wish(&world, &slot).await;
}

/// One command.
pub(crate) async fn act(world: &Arc<World>, id: WorkerId) {
    match world.sim.pick(0, 22) {
        0..=4 => start(world, id).await,
        5..=8 => stop(world, id).await,
        9 | 10 => {
            // Somebody changes their mind, and once more.
            stop(world, id).await;
            let (first, second) = (world.sim.pick(0, 2 * MINUTE), world.sim.pick(0, 2 * MINUTE));
            world.sim.pause(first).await;
            start(world, id).await;
            if world.sim.chance(0.5) {
                world.sim.pause(second).await;
                stop(world, id).await;
            } else if (0..5).any(|_| world.weather.strikes(Fault::HostFailure)) {
                // While what they wished first may still take effect.
                world.sim.pause(second).await;
                if let Ok(Worker { instance: Some(instance), .. }) = world.truth().worker(id).await {
                    host_fails(world, &instance.id, &id.to_string());
                }
            }
        }
        11 => {
            insist(world, "force", move |world, asked| async move {
                terminate_by_force(world.ctx(), &asked, id, "it is broken").await
            })
            .await;
        }
        12 => retire(world, id).await,
        13 => {
            let enabled = world.sim.chance(0.5);
            insist(world, "monitoring", move |world, asked| async move {
                set_monitoring(world.ctx(), &asked, id, enabled).await
            })
            .await;
        }
        14 => update(world, id).await,
        15 => {
            insist(world, "refresh", move |world, asked| async move { refresh_worker(world.ctx(), &asked, id).await })
                .await;
        }
        _ => wish_for_lab(world, id).await,
    }
}

async fn start(world: &Arc<World>, id: WorkerId) {
    insist(world, "start", move |world, asked| async move { start_worker(world.ctx(), &asked, id).await }).await;
}

async fn stop(world: &Arc<World>, id: WorkerId) {
    insist(world, "stop", move |world, asked| async move { stop_worker(world.ctx(), &asked, id, None).await }).await;
}

async fn retire(world: &Arc<World>, id: WorkerId) {
    insist(world, "retire", move |world, asked| async move { retire_worker(world.ctx(), &asked, id).await }).await;
    if world.sim.chance(0.3) {
        // Somebody takes it back, if it is not too late.
        let time = if world.sim.chance(0.5) { world.sim.pick(0, MINUTE) } else { world.sim.pick(0, 30 * MINUTE) };
        world.sim.pause(time).await;
        let desired = if world.sim.chance(0.7) { DesiredState::Running } else { DesiredState::Stopped };
        insist(world, "take back", move |world, asked| async move {
            set_desired_state(world.ctx(), &asked, id, desired, true).await
        })
        .await;
    }
    // Somebody did not hear of it.
    for _ in 0..world.sim.pick(0, 2) {
        let time = world.sim.pick(10 * SECOND, 3 * MINUTE);
        world.sim.pause(time).await;
        wish_for_lab(world, id).await;
    }
}

async fn update(world: &Arc<World>, id: WorkerId) {
    let mut update = Update::default();
    if world.sim.chance(0.5) {
        update.set_tags.insert("team".into(), world.sim.pick(0, 9).to_string());
    } else {
        update.idle_enabled = Some(world.sim.chance(0.7));
    }
    let asked = asked(world, "update");
    let call = world.clone();
    request(world, Box::pin(async move { update_worker(call.ctx(), &asked, id, update).await.map(|_| ()) })).await;
}

/// When the weather has cleared up, some wish once more: that must come true.
async fn last_wish(world: &Arc<World>, slot: &Slot) {
    let time = world.sim.pick(SECOND, 10 * MINUTE);
    world.sim.pause(time).await;
    let Some(id) = slot_of(slot) else { return };
    match world.sim.pick(0, 7) {
        0..=2 => start(world, id).await,
        3 => stop(world, id).await,
        4 | 5 => wish_for_lab(world, id).await,
        6 => retire(world, id).await,
        _ => {}
    }
}
