//! SQS: at least once, in any order, late, doubled; first in, first out within a group where the queue is such.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use app::ports::{Outgoing, PortError, Queue, Queues};
use async_trait::async_trait;

use crate::executor::{HOUR, MINUTE, Moment, SECOND, Sim};
use crate::faults::{Fault, Weather};
use crate::sabotage::Sabotage;
use crate::world::World;

/// Deliveries until a message goes to the dead letters. Source: infra/data.yaml, `maxReceiveCount`.
const RECEIVES_MAX: u32 = 5;
/// How long a FIFO queue knows a deduplication id. Source: SQS developer guide.
const DEDUPLICATION: Moment = 5 * MINUTE;
/// A message that is in a queue for longer than this got lost there.
const STUCK_AFTER: Moment = HOUR;

/// A message on its way to a consumer.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) body: String,
}

struct Message {
    body: String,
    group: Option<String>,
    sent_at: Moment,
    visible_at: Moment,
    receives: u32,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<Queue, BTreeMap<u64, Message>>,
    deduplication: BTreeMap<(Option<String>, String), Moment>,
    /// What was delivered in vain too often.
    dead: u64,
    sent: u64,
}

/// The queues.
pub(crate) struct Sqs {
    sim: Arc<Sim>,
    weather: Arc<Weather>,
    sabotage: Sabotage,
    state: Mutex<State>,
    /// Who consumes.
    pub(crate) world: OnceLock<Weak<World>>,
}

/// The most messages of a batch. Source: the function table.
fn batch_size(queue: Queue) -> usize {
    match queue {
        Queue::Operations | Queue::Power => 10,
        Queue::CmlOperations => 5,
        Queue::Imports | Queue::Discovery | Queue::Labs | Queue::MetricsAws | Queue::MetricsCml => 1,
    }
}

/// How long a message that is being worked on is out of sight. Source: infra/data.yaml, `VisibilityTimeout`.
fn visibility(queue: Queue) -> Moment {
    match queue {
        Queue::Labs | Queue::MetricsAws | Queue::MetricsCml => 720 * SECOND,
        Queue::Operations | Queue::Imports | Queue::CmlOperations | Queue::Discovery | Queue::Power => 360 * SECOND,
    }
}

/// How long a consumer may take: a sixth of that, as Lambda asks for.
pub(crate) fn time_limit(queue: Queue) -> Moment {
    visibility(queue) / 6
}

impl Sqs {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>, sabotage: Sabotage) -> Arc<Self> {
        Arc::new(Self {
            sim: sim.clone(),
            weather: weather.clone(),
            sabotage,
            state: Mutex::default(),
            world: OnceLock::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> Option<Arc<World>> {
        self.world.get()?.upgrade()
    }

    fn accept(&self, queue: Queue, message: &Outgoing) {
        let now = self.sim.now();
        let message = self.sabotage.message(message.clone());
        if let Some(id) = message.deduplication_id.clone().filter(|_| queue.is_fifo()) {
            let key = (message.group.clone(), id);
            let mut state = self.state();
            if state.deduplication.get(&key).is_some_and(|at| now - at < DEDUPLICATION) {
                return;
            }
            state.deduplication.insert(key, now);
        }
        let copies = if !queue.is_fifo() && self.weather.strikes(Fault::MessageDoubled) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = if self.weather.strikes(Fault::MessageLate) {
                self.sim.pick(SECOND, 10 * MINUTE)
            } else {
                self.sim.pick(0, 500)
            };
            let visible_at = now + delay;
            {
                let mut state = self.state();
                state.sent += 1;
                let id = state.sent;
                let group = message.group.clone().filter(|_| queue.is_fifo());
                let message = Message { body: message.body.clone(), group, sent_at: now, visible_at, receives: 0 };
                state.messages.entry(queue).or_default().insert(id, message);
            }
            self.poll_after(queue, delay);
        }
    }

    /// Looks for messages to deliver after so long.
    fn poll_after(&self, queue: Queue, time: Moment) {
        let Some(world) = self.world() else { return };
        let pause = self.sim.pause(time);
        self.sim.spawn(async move {
            pause.await;
            loop {
                let batch = world.sqs.receive(queue);
                if batch.is_empty() {
                    return;
                }
                world.invoke(queue, batch);
            }
        });
    }

    /// Takes a batch of what may be delivered now.
    fn receive(&self, queue: Queue) -> Vec<Delivery> {
        let now = self.sim.now();
        let out_of_sight = visibility(queue);
        let most = usize::try_from(self.sim.pick(1, i64::try_from(batch_size(queue)).unwrap_or(1))).unwrap_or(1);
        let mut batch = Vec::new();
        {
            let mut state = self.state();
            let State { messages, dead, .. } = &mut *state;
            let Some(messages) = messages.get_mut(&queue) else { return batch };
            let gone: Vec<u64> = messages
                .iter()
                .filter(|(_, message)| message.visible_at <= now && message.receives >= RECEIVES_MAX)
                .map(|(id, _)| *id)
                .collect();
            for id in gone {
                *dead += u64::from(messages.remove(&id).is_some());
            }
            let mut blocked: Vec<String> = Vec::new();
            for (id, message) in messages.iter_mut() {
                let free = message.group.as_ref().is_none_or(|group| !blocked.contains(group));
                // Whatever becomes of it, nothing of its group comes before it is gone.
                blocked.extend(message.group.clone());
                if !free || message.visible_at > now || batch.len() >= most {
                    continue;
                }
                message.visible_at = now + out_of_sight;
                message.receives += 1;
                batch.push(Delivery { id: *id, body: message.body.clone() });
            }
        }
        if !batch.is_empty() {
            // What is not settled by then comes again.
            self.poll_after(queue, out_of_sight);
        }
        batch
    }

    /// A consumer is done with a message.
    pub(crate) fn done(&self, queue: Queue, id: u64) {
        let group = {
            let mut state = self.state();
            state.messages.get_mut(&queue).and_then(|messages| messages.remove(&id)).and_then(|message| message.group)
        };
        if group.is_some() {
            // The next of its group.
            self.poll_after(queue, 0);
        }
    }

    /// How many messages were delivered in vain too often. What they were about is due still.
    pub(crate) fn dead(&self) -> u64 {
        self.state().dead
    }

    /// What has been in a queue for so long that nobody will ever see it.
    pub(crate) fn stuck(&self) -> Vec<String> {
        let now = self.sim.now();
        let state = self.state();
        let old = state.messages.iter().flat_map(|(queue, messages)| messages.values().map(move |one| (queue, one)));
        old.filter(|(_, message)| now - message.sent_at > STUCK_AFTER)
            .map(|(queue, message)| format!("{} {} received {}", queue.name(), message.body, message.receives))
            .collect()
    }
}

#[async_trait]
impl Queues for Sqs {
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError> {
        self.sim.call().await;
        if messages.is_empty() {
            return Ok(());
        }
        if self.weather.strikes(Fault::SendRefused) {
            return Err(PortError::new("sqs.SendMessageBatch", "refused"));
        }
        for message in &messages {
            self.accept(queue, message);
        }
        let lost = self.weather.strikes(Fault::SendAnswerLost);
        self.sim.call().await;
        if lost { Err(PortError::new("sqs.SendMessageBatch", "the answer was lost")) } else { Ok(()) }
    }
}
