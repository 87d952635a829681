//! What the world does to instances behind the product's back, and views of all places at once.

use std::collections::BTreeMap;

use app::ports::{Ec2Error, ImageFacts};
use domain::instance::WORKER_TAG;
use domain::{Place, Timestamp};
use serde::Serialize;

use crate::ec2::Launch;
use crate::faults::{Fault, Scarce};
use crate::instance::{Instance, State, Verb};
use crate::model::{Batch, Model};
use crate::{SimulatedCloud, images, instance_types, internal};

const NAME_TAG: &str = "Name";

/// An instance that runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningInstance {
    /// The instance.
    pub instance_id: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its public address.
    pub public_ip: String,
    /// Its type.
    pub instance_type: String,
    /// The virtual CPUs of the type.
    pub vcpus: u32,
    /// Since when it runs, in fleet time.
    pub running_since: Timestamp,
}

/// An instance that EC2 lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceView {
    /// The instance.
    pub instance_id: String,
    /// EC2's word for its state.
    pub state: String,
    /// The worker it belongs to, by our tag.
    pub worker_id: Option<String>,
    /// Its name tag.
    pub name: Option<String>,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its type.
    pub instance_type: String,
}

/// An instance that was there before anyone looked.
#[derive(Clone, Debug)]
pub struct SeedInstance {
    /// Account and region.
    pub place: Place,
    /// The name tag.
    pub name: String,
    /// The type.
    pub instance_type: String,
    /// The image; none for the newest one of the account.
    pub ami_id: Option<String>,
    /// All other tags.
    pub tags: BTreeMap<String, String>,
    /// Since when it runs; none for a stopped one.
    pub running_since: Option<Timestamp>,
}

impl SimulatedCloud {
    /// The instances that run now.
    #[must_use]
    pub fn running(&self) -> Vec<RunningInstance> {
        self.look(|model, now| {
            model.listed(now).filter(|instance| instance.state == State::Running).filter_map(running).collect()
        })
    }

    /// The terminated instances that EC2 still lists.
    #[must_use]
    pub fn terminated(&self) -> Vec<String> {
        self.look(|model, now| {
            let ended = model.listed(now).filter(|instance| instance.state == State::Terminated);
            ended.map(|instance| instance.id.to_string()).collect()
        })
    }

    /// Every instance that EC2 lists, of all places.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceView> {
        self.look(|model, now| model.listed(now).map(view).collect())
    }

    /// The images every account has of its own in every region, newest first.
    #[must_use]
    pub fn default_images(&self, place: &Place) -> Vec<ImageFacts> {
        images::own(place)
    }

    /// The host fails: the instance is gone at once, for EC2's reason and nobody's wish. Nothing
    /// happens to one that is going or gone already.
    ///
    /// # Errors
    /// There is no such instance.
    pub fn kill(&self, id: &str) -> Result<(), Ec2Error> {
        let operation = "HostFailure";
        self.pull(operation, |model, now| {
            let instance = model.find(operation, None, id, now)?;
            if matches!(instance.state, State::ShuttingDown | State::Terminated) {
                return Ok(());
            }
            let mut instance = instance.clone();
            instance.lose(now);
            let mut batch = Batch::default();
            batch.changed(instance, self.random());
            model.commit(batch).map_err(|error| internal(operation, &error))
        })
    }

    /// Somebody terminates it in the AWS console.
    ///
    /// # Errors
    /// There is no such instance.
    pub fn terminate_by_hand(&self, id: &str) -> Result<(), Ec2Error> {
        self.by_hand(Verb::Terminate, id)
    }

    /// Somebody stops it in the AWS console.
    ///
    /// # Errors
    /// There is no such instance, or its state does not allow it.
    pub fn stop_by_hand(&self, id: &str) -> Result<(), Ec2Error> {
        self.by_hand(Verb::Stop, id)
    }

    /// Somebody starts it in the AWS console.
    ///
    /// # Errors
    /// There is no such instance, or its state does not allow it.
    pub fn start_by_hand(&self, id: &str) -> Result<(), Ec2Error> {
        self.by_hand(Verb::Start, id)
    }

    /// The next calls of a name fail.
    pub fn inject_fault(&self, fault: Fault) {
        self.lock().gate.inject(fault);
    }

    /// These have no capacity from now on, and all others have.
    pub fn set_scarce(&self, scarce: Vec<Scarce>) {
        self.lock().gate.set_scarce(scarce);
    }

    /// The next `drop` notifications are lost, the `duplicate` after them are delivered twice.
    pub fn set_event_faults(&self, drop: u32, duplicate: u32) {
        self.lock().gate.set_event_faults(drop, duplicate);
    }

    /// Puts an instance where none was, without a notification; its id. One that could not be
    /// written is logged, and its id is of no instance.
    pub fn seed_instance(&self, seed: SeedInstance) -> String {
        let seeded = self.pull("Seed", |model, now| {
            let newest = images::own(&seed.place).into_iter().next().map(|image| image.id);
            let ami_id = seed.ami_id.or(newest).unwrap_or_default();
            let mut tags = seed.tags;
            tags.insert(NAME_TAG.into(), seed.name);
            let launch = Launch {
                place: &seed.place,
                instance_type: &seed.instance_type,
                ami_id: &ami_id,
                detailed_monitoring: false,
                tags,
            };
            let since = seed.running_since.unwrap_or(now);
            let mut instance = self.prepare(model, launch, since)?;
            instance.enter(State::Running, since);
            if seed.running_since.is_none() {
                instance.enter(State::Stopping, since);
                instance.enter(State::Stopped, since);
                instance.last_run = None;
            }
            let id = instance.id.to_string();
            let mut batch = Batch::default();
            batch.put(instance);
            model.commit(batch).map_err(|error| internal("Seed", &error))?;
            Ok(id)
        });
        seeded.unwrap_or_else(|error| {
            tracing::error!(%error, "an instance could not be seeded");
            String::new()
        })
    }

    fn by_hand(&self, verb: Verb, id: &str) -> Result<(), Ec2Error> {
        self.pull(verb.operation(), |model, now| model.ask(verb, None, id, now, self.random()))
    }

    /// Pulls a lever: like a call, but neither counted nor disturbed.
    fn pull<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut Model, Timestamp) -> Result<T, Ec2Error>,
    ) -> Result<T, Ec2Error> {
        let now = self.now();
        let model = &mut self.lock().model;
        model.settle(now, self.random()).map_err(|error| internal(operation, &error))?;
        act(model, now)
    }

    fn look<T>(&self, act: impl FnOnce(&Model, Timestamp) -> T) -> T {
        let now = self.now();
        let model = &mut self.lock().model;
        if let Err(error) = model.settle(now, self.random()) {
            tracing::error!(%error, "the simulated region could not be moved on; this is what was last true");
        }
        act(model, now)
    }
}

fn running(instance: &Instance) -> Option<RunningInstance> {
    Some(RunningInstance {
        instance_id: instance.id.to_string(),
        account: instance.account.to_string(),
        region: instance.region.to_string(),
        public_ip: instance.public_ip.clone()?,
        instance_type: instance.instance_type.clone(),
        vcpus: instance_types::vcpus(&instance.instance_type).unwrap_or(2),
        running_since: instance.since,
    })
}

fn view(instance: &Instance) -> InstanceView {
    InstanceView {
        instance_id: instance.id.to_string(),
        state: instance.state.name().to_owned(),
        worker_id: instance.tags.get(WORKER_TAG).cloned(),
        name: instance.tags.get(NAME_TAG).cloned(),
        account: instance.account.to_string(),
        region: instance.region.to_string(),
        instance_type: instance.instance_type.clone(),
    }
}
