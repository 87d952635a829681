//! The pump: what EventBridge, SQS and DynamoDB's stream do for Lambda. Schedules and EC2's notifications go by fleet
//! time, queues by machine time. No invocation holds up another.

mod cloud;
mod consumer;
mod event;
mod schedule;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use app::Settings;
use app::ports::{Clock, Random};
use http_api::{FUNCTIONS, Interval, Trigger};
use local_controllers::Controllers;
use local_region::SimulatedCloud;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::invoke::Invoker;
use crate::queues::Source;
use crate::stream::Records;

pub(crate) use cloud::running;

/// How long what is under way may take to end when the stack stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the pump drives, and by what.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) invoker: Invoker,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) stream: Arc<dyn Records>,
    pub(crate) cloud: SimulatedCloud,
    pub(crate) controllers: Controllers,
    pub(crate) fleet: Arc<dyn Clock>,
    pub(crate) machine: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Arc<Settings>,
}

impl Parts {
    fn account(&self) -> &str {
        self.settings.home_account.as_str()
    }
}

/// The running pump. Dropped, it stops at once.
pub(crate) struct Pump(JoinSet<()>);

impl Pump {
    /// Starts everything that the function table triggers, until `stop` is true or gone.
    pub(crate) fn start(parts: &Parts, stop: &watch::Receiver<bool>) -> Self {
        let mut tasks = JoinSet::new();
        for function in FUNCTIONS {
            let (parts, stop) = (parts.clone(), stop.clone());
            match function.trigger {
                Trigger::Http(_) => {}
                Trigger::Schedule { name, every } => {
                    let every = match every {
                        Interval::Metrics => parts.settings.power.metrics_interval,
                        Interval::Labs => parts.settings.labs_interval,
                        Interval::Minute => domain::SignedDuration::from_mins(1),
                    };
                    tasks.spawn(schedule::run(parts, function, name, every, stop));
                }
                Trigger::Queue { queue, batch_size, max_concurrency } => {
                    let limits = consumer::Limits { batch_size, max_concurrency };
                    tasks.spawn(consumer::run(parts, function, queue, limits, stop));
                }
                Trigger::Stream { sort_keys, batch_size } => {
                    let limits = stream::Limits { sort_keys, batch_size };
                    tasks.spawn(stream::run(parts, function, limits, stop));
                }
                Trigger::Ec2StateChange => {
                    tasks.spawn(cloud::notify(parts, function, stop));
                }
            }
        }
        tasks.spawn(cloud::keep_controllers(parts.clone(), stop.clone()));
        Self(tasks)
    }

    /// Waits a while for what is under way; the queues keep what is cut off.
    pub(crate) async fn stopped(mut self) {
        let drained = tokio::time::timeout(PATIENCE, async { while self.0.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("invocations were still under way; their messages come again");
        }
    }
}

/// Resolves when the stack stops.
async fn stopping(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone: the stack was dropped.
    let _ended = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
