//! The simulated AWS: EC2 and CloudWatch of every account and region, on the fleet clock.
//!
//! It keeps EC2's state machines, times, error codes, client tokens and address rules, and writes
//! every change to disk before it counts, so that a killed stack goes on where it was. State
//! machines move when somebody looks: each call first settles what became due.

mod addresses;
mod cloudwatch;
mod console;
mod ec2;
mod faults;
mod images;
mod instance;
mod instance_types;
mod levers;
mod model;
mod notice;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::{Clock, Ec2Error, Random};
use domain::Timestamp;
use local_state::{Documents, StateError};

pub use faults::{Fault, Scarce, TIMEOUT_AFTER_SUCCESS};
pub use levers::{InstanceView, RunningInstance, SeedInstance};

use faults::Gate;
use model::Model;

/// What the software inside an instance makes of its machine just now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InstanceLoad {
    /// Nodes of labs that run.
    pub running_nodes: u32,
    /// CPU in percent of the whole instance.
    pub cpu_percent: f64,
    /// Memory in percent; none without the CloudWatch agent.
    pub memory_percent: Option<f64>,
    /// Bytes a second over the network, both ways together.
    pub network_bytes_per_second: f64,
}

/// Where CloudWatch's numbers come from.
pub trait LoadSource: Send + Sync {
    /// The load of this instance now. Asked without any lock held.
    fn load(&self, instance_id: &str) -> InstanceLoad;
}

/// EC2 and CloudWatch of every account and region. Cheap to clone; clones are the same cloud.
#[derive(Clone)]
pub struct SimulatedCloud(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    load: Arc<dyn LoadSource>,
    region: Mutex<Locked>,
}

/// What one lock guards: what is remembered, and what disturbs the calls.
struct Locked {
    model: Model,
    gate: Gate,
}

impl SimulatedCloud {
    /// The cloud these documents remember; a new one when they remember none.
    ///
    /// # Errors
    /// The documents cannot be read.
    pub fn open(
        documents: Documents,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        load: Arc<dyn LoadSource>,
    ) -> Result<Self, StateError> {
        let region = Mutex::new(Locked { model: Model::open(documents)?, gate: Gate::default() });
        Ok(Self(Arc::new(Inner { clock, random, load, region })))
    }

    /// Moves every state machine on to now, and hands out the state-change notifications that
    /// became due since the last call, in order, each once. They are EventBridge's own
    /// `EC2 Instance State-change Notification` events; one that was never handed out survives a restart.
    pub fn advance(&self) -> Vec<serde_json::Value> {
        let now = self.now();
        let mut locked = self.lock();
        let notices = locked.model.settle(now, self.random()).and_then(|()| locked.model.take_notices());
        match notices {
            Ok(notices) => locked.gate.disturb(notices),
            Err(error) => {
                tracing::error!(%error, "the simulated region could not be moved on; it is tried again");
                vec![]
            }
        }
    }

    /// How often each API call was made, by its name.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.lock().gate.calls()
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn random(&self) -> &dyn Random {
        self.0.random.as_ref()
    }

    fn load(&self, instance_id: &str) -> InstanceLoad {
        self.0.load.load(instance_id)
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        // A poisoned lock only says that some thread panicked: the model changes after its commit, in one go.
        self.0.region.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One API call: counted, disturbed by a fault if one waits, on state machines moved on to now.
    fn call<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut Model, Timestamp) -> Result<T, Ec2Error>,
    ) -> Result<T, Ec2Error> {
        let now = self.now();
        let mut locked = self.lock();
        locked.gate.count(operation, 1);
        let fault = locked.gate.take_fault(operation);
        if let Some(code) = fault.as_deref().filter(|code| *code != TIMEOUT_AFTER_SUCCESS) {
            return Err(faults::refusal(operation, code));
        }
        locked.model.settle(now, self.random()).map_err(|error| internal(operation, &error))?;
        let answer = act(&mut locked.model, now);
        if fault.is_some() { Err(faults::refusal(operation, "timeout")) } else { answer }
    }
}

/// EC2's own failure: here, that the disk is full or the file is gone.
fn internal(operation: &'static str, error: &StateError) -> Ec2Error {
    Ec2Error { operation, code: "InternalError".into(), message: error.to_string() }
}
