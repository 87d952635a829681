//! People who use labs: in CML, where they make, start and stop them by hand, and through the product.

use std::sync::Arc;

use app::use_cases::lab_commands::act_on_lab;
use domain::lab::LabAction;
use domain::{InstanceId, WorkerId};

use crate::executor::{HOUR, MINUTE, Sim};
use crate::users::{Slot, insist, person, slot_of};
use crate::world::World;

/// Somebody wishes something of a lab that the product knows.
pub(crate) async fn wish_for_lab(world: &Arc<World>, id: WorkerId) {
    let labs = world.truth().all_worker_labs(id).await.unwrap_or_default();
    if labs.is_empty() {
        return;
    }
    let number = usize::try_from(world.sim.pick(0, i64::try_from(labs.len()).unwrap_or(1) - 1)).unwrap_or(0);
    let lab = labs[number].id.clone();
    let action = match world.sim.pick(0, 9) {
        0..=5 => LabAction::Start,
        6 | 7 => LabAction::Stop,
        8 => LabAction::Wipe,
        _ => LabAction::Delete,
    };
    let operation = insist(world, "lab", move |world, asked| {
        let (lab, action) = (lab.clone(), action.clone());
        async move { act_on_lab(world.ctx(), &asked, &person(), id, &lab, action).await }
    })
    .await;
    // Whoever works by the product uses the worker, also where there is nothing left to do.
    let instance = world.truth().worker(id).await.ok().and_then(|worker| worker.instance);
    if let (Some(operation), Some(instance)) = (operation, instance) {
        world.park.with(&instance.id, |one| one.uses.push(Sim::moment(operation.requested_at)));
    }
}

/// Somebody who uses the worker of one place of the fleet.
pub(crate) async fn use_labs(world: Arc<World>, slot: Slot) {
    loop {
        let time = world.sim.pick(5 * MINUTE, 3 * HOUR);
        world.sim.pause(time).await;
        let Some(instance) = usable(&world, &slot).await else { continue };
        match slot_of(&slot).filter(|_| world.weather.is_bad() && world.sim.chance(0.4)) {
            Some(worker) => wish_for_lab(&world, worker).await,
            None => session(&world, &instance).await,
        }
        // On a quiet evening people go home, and most of them switch off what they used.
        if !world.weather.is_bad() {
            return;
        }
    }
}

/// Somebody works for a while in CML.
pub(crate) async fn session(world: &Arc<World>, instance: &InstanceId) {
    let Some(lab) = world.park.person_takes(instance) else { return };
    if world.sim.chance(0.25) {
        let now = world.sim.now();
        world.park.with(instance, |one| one.registered_at.get_or_insert(now).to_owned());
    }
    let on = world.sim.chance(0.7);
    if on {
        world.park.person_turns(instance, &lab, true);
    }
    for _ in 0..world.sim.pick(0, 6) {
        let time = world.sim.pick(MINUTE, 30 * MINUTE);
        world.sim.pause(time).await;
        if !world.park.is_usable(instance) {
            break;
        }
        world.park.person_does(instance, "user_activity");
    }
    // Some leave it running: a long calculation, or forgotten.
    if !world.sim.chance(0.8) || !world.park.is_usable(instance) {
        return;
    }
    world.park.person_turns(instance, &lab, false);
    if world.sim.chance(0.1) {
        world.park.person_deletes(instance, &lab);
    }
}

async fn usable(world: &World, slot: &Slot) -> Option<InstanceId> {
    let worker = world.truth().worker(slot_of(slot)?).await.ok()?;
    let instance = worker.instance?.id;
    world.park.is_usable(&instance).then_some(instance)
}
