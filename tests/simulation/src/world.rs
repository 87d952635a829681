//! The world of one run: the product's own use cases between simulated ports, and what makes them run.

use std::sync::Arc;

use app::message::{CollectAws, CollectCml, CollectLabs, ControlPower, DiscoverInstances, Message, RunOperation};
use app::ports::Queue;
use app::store::Store;
use app::use_cases::collect_aws::collect_aws;
use app::use_cases::collect_cml::collect_cml;
use app::use_cases::collect_labs::collect_labs;
use app::use_cases::control_power::Judgement;
use app::use_cases::controller::CmlPorts;
use app::use_cases::discover_instances::discover_instances;
use app::use_cases::dispatch_discovery::dispatch_discovery;
use app::use_cases::dispatch_labs::dispatch_labs;
use app::use_cases::dispatch_metrics::dispatch_metrics;
use app::use_cases::dispatch_power::dispatch_power;
use app::use_cases::evidence::Ec2Ports;
use app::use_cases::publish_events::{StreamRecord, publish_events};
use app::use_cases::record_instance_state::record_instance_state;
use app::use_cases::run_cml_operation::run_cml_operation;
use app::use_cases::run_operation::{run_import, run_operation};
use app::{AppError, Context, Settings};
use domain::{InstanceId, Place};
use futures::future::join_all;

use crate::cloud::Cloud;
use crate::controllers::ControllerPark;
use crate::dynamo::Dynamo;
use crate::ec2::Ec2View;
use crate::executor::{MINUTE, Moment, SECOND, Sim};
use crate::faults::{Fault, Weather};
use crate::invariants::Monitor;
use crate::periods::Periods;
use crate::sabotage::Sabotage;
use crate::services::{Bus, Vault};
use crate::sqs::{Delivery, Sqs, time_limit};
use crate::watch::Watch;

/// The account that everything is in.
pub(crate) const ACCOUNT: &str = "123456789012";
/// Its regions.
pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "eu-central-1"];
/// How long a schedule, a notification or a request may take.
const REQUEST_TIME_LIMIT: Moment = 29 * SECOND;
/// Deliveries of an EC2 notification that fails. Source: Lambda, asynchronous invocation.
const NOTIFICATION_TRIES: u32 = 3;
/// Events in one invocation of publish-events.
const STREAM_BATCH: usize = 100;

/// Where workers are, and where it is looked for what others launched.
pub(crate) fn places() -> Vec<Place> {
    let place = |region: &str| Some(Place { account: ACCOUNT.parse().ok()?, region: region.parse().ok()? });
    REGIONS.into_iter().filter_map(place).collect()
}

/// The world.
pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) weather: Arc<Weather>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) dynamo: Arc<Dynamo>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) park: Arc<ControllerPark>,
    pub(crate) ec2: Ec2View,
    ctx: Context,
    /// The same with `SAFE_MODE` on.
    safe_ctx: Context,
    vault: Vault,
    bus: Bus,
}

impl World {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>, sabotage: Sabotage, settings: Settings) -> Arc<Self> {
        let monitor = Monitor::new(sim);
        let watch = Watch::new(sim, &monitor, &Periods::new(sim, weather));
        let dynamo = Arc::new(Dynamo::new(sim, weather, &watch, sabotage));
        let sqs = Sqs::new(sim, weather, sabotage);
        let cloud = Cloud::new(sim, weather, &watch, sabotage);
        let park = ControllerPark::new(&cloud);
        let context =
            |settings| Context::new(dynamo.clone(), sqs.clone(), sim.clone(), sim.clone(), sim.clone(), settings);
        let ctx = context(settings.clone());
        let safe_ctx = context(Settings { safe_mode: true, ..settings });
        let world = Arc::new(Self {
            sim: sim.clone(),
            weather: weather.clone(),
            monitor: monitor.clone(),
            watch: watch.clone(),
            dynamo: dynamo.clone(),
            sqs: sqs.clone(),
            ec2: Ec2View(cloud.clone()),
            cloud,
            park,
            ctx,
            safe_ctx,
            vault: Vault::new(sim, weather, watch, sabotage),
            bus: Bus::new(sim, weather, monitor),
        });
        // Nobody else sets them.
        let _ = world.sqs.world.set(Arc::downgrade(&world));
        let _ = world.cloud.world.set(Arc::downgrade(&world));
        let _ = world.monitor.park.set(Arc::downgrade(&world.park));
        let _ = world.watch.park.set(Arc::downgrade(&world.park));
        world
    }

    /// The store without a network: for looks from outside.
    pub(crate) fn truth(&self) -> Store {
        Store::new(self.dynamo.memory.clone())
    }

    /// What an invocation that begins now works with.
    pub(crate) fn ctx(&self) -> &Context {
        let safe = self.watch.periods.safe_since().is_some() && self.cloud.sabotage != Sabotage::SafeModeUnread;
        if safe { &self.safe_ctx } else { &self.ctx }
    }

    /// After how many polls an invocation crashes, if it does.
    fn fuse(&self) -> Option<u32> {
        self.weather.strikes(Fault::Crash).then(|| u32::try_from(self.sim.pick(0, 40)).unwrap_or(0))
    }

    /// A function is invoked: it has so much time, and may crash between any two calls.
    pub(crate) fn run(&self, time: Moment, invocation: impl Future<Output = ()> + Send + 'static) {
        self.sim.spawn_limited(invocation, self.fuse(), time);
    }

    /// A queue's consumer is invoked with a batch.
    pub(crate) fn invoke(self: &Arc<Self>, queue: Queue, batch: Vec<Delivery>) {
        let world = self.clone();
        self.run(time_limit(queue), async move {
            if queue == Queue::Power {
                world.control(batch).await;
                return;
            }
            let results = join_all(batch.iter().map(|message| world.consume(queue, &message.body))).await;
            world.settle(queue, &batch, results);
        });
    }

    async fn consume(&self, queue: Queue, body: &str) -> Result<(), AppError> {
        let (ctx, park) = (self.ctx(), &*self.park);
        match queue {
            Queue::Operations => run_operation(ctx, self.ec2_ports(), RunOperation::read(body)?.operation_id).await,
            Queue::Imports => run_import(ctx, &self.ec2, RunOperation::read(body)?.operation_id).await,
            Queue::CmlOperations => {
                let ports = CmlPorts { controllers: park, secrets: &self.vault, files: &self.vault };
                run_cml_operation(ctx, ports, RunOperation::read(body)?.operation_id).await
            }
            Queue::Labs => collect_labs(ctx, park, &self.vault, &CollectLabs::read(body)?).await,
            Queue::MetricsAws => collect_aws(ctx, &self.ec2, &self.ec2, &CollectAws::read(body)?).await,
            Queue::MetricsCml => collect_cml(ctx, park, &self.vault, &CollectCml::read(body)?).await,
            Queue::Discovery => discover_instances(ctx, &self.ec2, &DiscoverInstances::read(body)?.place).await,
            Queue::Power => Ok(()),
        }
    }

    fn ec2_ports(&self) -> Ec2Ports<'_> {
        Ec2Ports { ec2: &self.ec2, files: &self.vault }
    }

    /// As control-power does: one look for all, then each.
    async fn control(&self, batch: Vec<Delivery>) {
        let read = |message: Delivery| Some((ControlPower::read(&message.body).ok()?.worker_id, message));
        let batch: Vec<_> = batch.into_iter().filter_map(read).collect();
        let mut ids: Vec<_> = batch.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let _judging = self.monitor.judge(&ids);
        let Ok(judgement) = Judgement::look(self.ctx(), self.ec2_ports(), &ids).await else { return };
        let results = join_all(batch.iter().map(|(id, _)| judgement.judge(*id))).await;
        let messages: Vec<Delivery> = batch.into_iter().map(|(_, message)| message).collect();
        self.settle(Queue::Power, &messages, results);
    }

    /// What is done goes when the invocation answers, and not before; the rest comes back.
    fn settle(&self, queue: Queue, batch: &[Delivery], results: Vec<Result<(), AppError>>) {
        for (message, result) in batch.iter().zip(results) {
            match result {
                Ok(()) => self.sqs.done(queue, message.id),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    self.sim.note(|| format!("{} {} failed: {error} {cause}", queue.name(), message.body));
                }
            }
        }
    }

    /// EC2 tells of an instance after so long.
    pub(crate) fn notify(self: &Arc<Self>, id: &InstanceId, delay: Moment) {
        let (world, id, pause) = (self.clone(), id.clone(), self.sim.pause(delay));
        self.sim.spawn(async move {
            pause.await;
            world.try_to_notify(id, 1);
        });
    }

    fn try_to_notify(self: &Arc<Self>, id: InstanceId, tries: u32) {
        let world = self.clone();
        self.run(REQUEST_TIME_LIMIT, async move {
            let Some(place) = world.cloud.machine(&id, |machine| machine.place.clone()) else { return };
            if record_instance_state(world.ctx(), &world.ec2, &place, &id).await.is_err() && tries < NOTIFICATION_TRIES
            {
                let again = world.clone();
                world.sim.spawn(async move {
                    again.sim.pause(Moment::from(tries) * MINUTE).await;
                    again.try_to_notify(id, tries + 1);
                });
            }
        });
    }

    /// A schedule fires.
    fn tick(self: &Arc<Self>, schedule: Schedule) {
        if self.weather.strikes(Fault::TickLost) {
            return;
        }
        let times = if self.weather.strikes(Fault::TickDoubled) { 2 } else { 1 };
        for _ in 0..times {
            let world = self.clone();
            self.run(REQUEST_TIME_LIMIT, async move {
                let fired = match schedule {
                    Schedule::Power => dispatch_power(world.ctx()).await,
                    Schedule::Metrics => dispatch_metrics(world.ctx()).await,
                    Schedule::Labs => dispatch_labs(world.ctx()).await,
                    Schedule::Discovery => dispatch_discovery(world.ctx()).await.map(|_| ()),
                };
                if let Err(error) = fired {
                    world.sim.note(|| format!("schedule {schedule:?} failed: {error}"));
                }
            });
        }
    }

    /// Begins everything that goes on by itself.
    pub(crate) fn begin(self: &Arc<Self>) {
        for (schedule, every) in [
            (Schedule::Power, MINUTE),
            (Schedule::Metrics, 5 * MINUTE),
            (Schedule::Labs, 30 * MINUTE),
            // Rarer than it is: it changes little.
            (Schedule::Discovery, 15 * MINUTE),
        ] {
            let world = self.clone();
            self.sim.spawn(async move {
                loop {
                    world.sim.pause(every).await;
                    world.tick(schedule);
                }
            });
        }
        let world = self.clone();
        self.sim.spawn(async move {
            loop {
                world.sim.pause(MINUTE).await;
                world.park.note_uses();
            }
        });
        let world = self.clone();
        self.sim.spawn(async move {
            loop {
                world.sim.pause(5 * SECOND).await;
                world.publish().await;
            }
        });
    }

    /// As publish-events does, until the stream is empty or the bus does not take more.
    async fn publish(&self) {
        let items = self.monitor.stream(STREAM_BATCH);
        if items.is_empty() {
            return;
        }
        let record = |(position, item): (usize, &app::ports::Item)| StreamRecord {
            position: position.to_string(),
            attributes: Ok(item.attributes.clone()),
            raw: serde_json::Value::Null,
        };
        let records: Vec<_> = items.iter().enumerate().map(record).collect();
        let again = publish_events(&self.bus, &records).await;
        let done = again.and_then(|position| position.parse().ok()).unwrap_or(items.len());
        // A crash before this is told has the batch delivered again.
        if !self.weather.strikes(Fault::Crash) {
            self.monitor.streamed(done);
        }
    }
}

/// What fires by the clock.
#[derive(Clone, Copy, Debug)]
enum Schedule {
    Power,
    Metrics,
    Labs,
    Discovery,
}
