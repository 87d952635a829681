//! What happens to machines without the product: hosts fail, and people use EC2's own console.

use std::sync::Arc;

use domain::InstanceId;
use domain::instance::InstanceState;

use crate::cloud::{BY_HOST, BY_REQUEST};
use crate::executor::HOUR;
use crate::faults::Fault;
use crate::invariants::Hand;
use crate::world::World;

/// Goes over all machines once an hour, while the weather is bad.
pub(crate) async fn meddle(world: Arc<World>) {
    while world.weather.is_bad() {
        let ours = world.cloud.each(|machine| {
            let worker = machine.worker().cloned()?;
            machine.is_live().then(|| (machine.shown.id.clone(), worker))
        });
        for (id, worker) in ours {
            let time = world.sim.pick(0, HOUR);
            let (world, pause) = (world.clone(), world.sim.pause(time));
            let next = world.clone();
            next.sim.spawn(async move {
                pause.await;
                happen(&world, &id, &worker);
            });
        }
        world.sim.pause(HOUR).await;
    }
}

/// The host of a machine that runs fails.
pub(crate) fn host_fails(world: &World, id: &InstanceId, worker: &str) {
    let Some(since) = world.cloud.machine(id, |machine| machine.running_since).flatten() else { return };
    world.sim.note(|| format!("the host of {id} of {worker} fails"));
    world.monitor.by_hand(worker, None);
    world.monitor.host_failed(worker, world.sim.now() - since);
    if world.sim.chance(0.5) {
        world.cloud.terminate(id, BY_HOST);
    } else {
        world.cloud.stop(id, BY_HOST);
    }
}

fn happen(world: &World, id: &InstanceId, worker: &str) {
    let Some(state) = world.cloud.machine(id, |machine| machine.shown.state) else { return };
    let running = state == InstanceState::Running;
    let strikes = |fault| world.weather.strikes(fault);
    if running && strikes(Fault::HostFailure) {
        host_fails(world, id, worker);
    } else if running && strikes(Fault::StoppedByHand) {
        world.sim.note(|| format!("somebody stops {id} of {worker} at EC2"));
        world.monitor.by_hand(worker, Some(Hand::Stopped));
        world.cloud.stop(id, BY_REQUEST);
    } else if running && strikes(Fault::TerminatedByHand) {
        world.sim.note(|| format!("somebody terminates {id} of {worker} at EC2"));
        world.monitor.by_hand(worker, Some(Hand::Terminated));
        world.cloud.terminate(id, BY_REQUEST);
    } else if state == InstanceState::Stopped && strikes(Fault::StartedByHand) {
        world.sim.note(|| format!("somebody starts {id} of {worker} at EC2"));
        world.monitor.by_hand(worker, None);
        world.cloud.start(id);
    } else if strikes(Fault::Unlisted) {
        world.cloud.hide(id);
    }
}
