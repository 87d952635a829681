//! The simulated cloud's life: its state machines, its notifications, its controllers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http_api::Function;
use local_controllers::RunningInstance;
use local_region::SimulatedCloud;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Parts, stopping};

/// How often the cloud moves on: 15 fleet seconds at `--speed 600`.
const STEP: Duration = Duration::from_millis(25);
/// Notifications delivered at the same time, at most.
const DELIVERIES: usize = 10;
/// How often a notification is tried, and how far apart. What is lost then, the sweep heals.
const TRIES: usize = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Moves the cloud on and delivers EC2's notifications to the function that takes them.
pub(super) async fn notify(parts: Parts, function: &'static Function, mut stop: watch::Receiver<bool>) {
    let mut step = tokio::time::interval(STEP);
    step.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let places = Arc::new(Semaphore::new(DELIVERIES));
    let mut deliveries = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping(&mut stop) => break,
            _ = step.tick() => {}
        }
        while deliveries.try_join_next().is_some() {}
        for event in parts.cloud.advance() {
            let (parts, places) = (parts.clone(), Arc::clone(&places));
            deliveries.spawn(async move {
                let _place = places.acquire_owned().await;
                deliver(&parts, function, event).await;
            });
        }
    }
    while deliveries.join_next().await.is_some() {}
}

async fn deliver(parts: &Parts, function: &'static Function, event: Value) {
    let mut tries = tokio::time::interval(BETWEEN_TRIES);
    tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..TRIES {
        tries.tick().await;
        if parts.invoker.invoke(function, event.clone()).await.is_ok() {
            return;
        }
    }
    tracing::error!(function = function.name, "a notification was given up");
}

/// Gives each running instance its controller, and takes it from each that does not run.
pub(super) async fn keep_controllers(parts: Parts, mut stop: watch::Receiver<bool>) {
    let mut step = tokio::time::interval(STEP);
    step.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut synced = None;
    let mut forgotten = BTreeSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping(&mut stop) => return,
            _ = step.tick() => {}
        }
        let running = running(&parts.cloud);
        if synced.as_ref() != Some(&running) || missing(&parts, &running) {
            parts.controllers.sync(&running).await;
            synced = Some(running);
        }
        let terminated: BTreeSet<_> = parts.cloud.terminated().into_iter().collect();
        for id in terminated.difference(&forgotten) {
            parts.controllers.forget(id);
        }
        forgotten = terminated;
    }
}

/// Whether a controller that should run does not: it could not be started, and is tried again.
fn missing(parts: &Parts, running: &[RunningInstance]) -> bool {
    running.iter().any(|instance| parts.controllers.address(&instance.instance_id).is_none())
}

/// The running instances, as the controllers want to know them.
pub(crate) fn running(cloud: &SimulatedCloud) -> Vec<RunningInstance> {
    let running = cloud.running().into_iter().map(|instance| RunningInstance {
        instance_id: instance.instance_id,
        running_since: instance.running_since,
        instance_type: instance.instance_type,
        vcpus: instance.vcpus,
    });
    running.collect()
}
