//! EC2 as it is: machines with states that take time, addresses that go from one to the next, tokens that
//! are bound for a day. What a caller sees of it is in `ec2.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use app::ports::LaunchRequest;
use domain::instance::{InstanceObservation, InstanceState, Lifecycle, WORKER_TAG};
use domain::{InstanceId, Place};

use crate::executor::{HOUR, MINUTE, Moment, SECOND, Sim};
use crate::faults::{Fault, Weather};
use crate::invariants::Monitor;
use crate::sabotage::Sabotage;
use crate::watch::Watch;
use crate::world::World;

/// How long EC2 lists a terminated instance. Source: EC2 user guide, "about an hour".
const LISTED_AFTER_THE_END: Moment = HOUR;
/// How long an address rests before somebody else gets it: longer than the product believes an address that
/// no certificate vouches for (2 minutes), with what a list may lag behind (2 minutes) and what the calls take.
const ADDRESS_RESTS: Moment = 6 * MINUTE;
/// How long an instance is listed between two gaps: longer than two looks lie apart that miss it and count
/// (`domain::worker::observe::MISSING_AGAIN_WITHIN`). Two gaps closer together, with no look between them, cannot be
/// told from one.
const LISTED_BETWEEN_GAPS: Moment = 8 * MINUTE;

/// A machine.
pub(crate) struct Machine {
    pub(crate) place: Place,
    pub(crate) shown: InstanceObservation,
    /// How it looked since when, oldest first.
    history: Vec<(Moment, InstanceObservation)>,
    /// It is not listed from then to then.
    unlisted: Option<(Moment, Moment)>,
    ended_at: Option<Moment>,
    /// Counts its changes of state, so that what was to come of an earlier one does not come.
    turn: u64,
    pub(crate) running_since: Option<Moment>,
    /// When it ceased to run, each time.
    pub(crate) ran_until: Vec<Moment>,
    /// The worker that took it over, though it may not say so itself yet.
    claimed_by: Option<String>,
}

impl Machine {
    /// The worker that its tag names, or that took it over.
    pub(crate) fn worker(&self) -> Option<&String> {
        self.shown.tags.get(WORKER_TAG).or(self.claimed_by.as_ref())
    }

    /// It runs, or may run again: it costs.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.shown.state, InstanceState::ShuttingDown | InstanceState::Terminated)
    }

    pub(crate) fn runs(&self) -> bool {
        self.shown.state == InstanceState::Running
    }

    /// How it looked then; none when it is not listed.
    pub(crate) fn seen(&self, now: Moment, then: Moment) -> Option<InstanceObservation> {
        let hidden = self.unlisted.is_some_and(|(from, to)| (from..to).contains(&now));
        let forgotten = self.ended_at.is_some_and(|at| now - at > LISTED_AFTER_THE_END);
        if hidden || forgotten {
            return None;
        }
        self.history.iter().rev().find(|(at, _)| *at <= then).map(|(_, shown)| shown.clone())
    }
}

/// Who answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Machine(InstanceId),
    /// Somebody else's controller.
    Stranger,
}

#[derive(Default)]
struct State {
    machines: BTreeMap<InstanceId, Machine>,
    /// What each token launched, and how.
    tokens: BTreeMap<(Place, String), (LaunchRequest, InstanceId)>,
    hosts: BTreeMap<String, Host>,
    /// Addresses that nobody has, since when.
    free: Vec<(Moment, String)>,
    launched: u32,
    addresses: u32,
    /// Until when there is no capacity of a type in a place.
    no_capacity_until: BTreeMap<(Place, String), Moment>,
}

/// EC2 as it is.
pub(crate) struct Cloud {
    pub(crate) sim: Arc<Sim>,
    pub(crate) weather: Arc<Weather>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) sabotage: Sabotage,
    state: Mutex<State>,
    pub(crate) world: std::sync::OnceLock<Weak<World>>,
}

/// Why a machine changes its state, in EC2's codes.
pub(crate) type Reason = Option<(&'static str, &'static str)>;

/// A person did it, or we did: EC2 does not tell who.
pub(crate) const BY_REQUEST: Reason = Some(("Client.UserInitiatedShutdown", "User initiated shutdown"));
/// The host failed.
pub(crate) const BY_HOST: Reason = Some(("Server.InternalError", "Internal error of the host"));

impl Cloud {
    pub(crate) fn new(sim: &Arc<Sim>, weather: &Arc<Weather>, watch: &Arc<Watch>, sabotage: Sabotage) -> Arc<Self> {
        Arc::new(Self {
            sim: sim.clone(),
            weather: weather.clone(),
            monitor: watch.monitor.clone(),
            watch: watch.clone(),
            sabotage,
            state: Mutex::default(),
            world: std::sync::OnceLock::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one machine.
    pub(crate) fn machine<T>(&self, id: &InstanceId, read: impl FnOnce(&Machine) -> T) -> Option<T> {
        self.state().machines.get(id).map(read)
    }

    /// Changes one machine.
    pub(crate) fn change<T>(&self, id: &InstanceId, change: impl FnOnce(&mut Machine) -> T) -> Option<T> {
        let now = self.sim.now();
        let mut state = self.state();
        let machine = state.machines.get_mut(id)?;
        let result = change(machine);
        machine.history.push((now, machine.shown.clone()));
        Some(result)
    }

    /// Something of every machine that it is wanted of.
    pub(crate) fn each<T>(&self, read: impl Fn(&Machine) -> Option<T>) -> Vec<T> {
        self.state().machines.values().filter_map(read).collect()
    }

    /// Who answers at an address now.
    pub(crate) fn host(&self, address: &str) -> Option<Host> {
        self.state().hosts.get(address).cloned()
    }

    /// Whether there is capacity of that type. When there is not, there is none for a while.
    pub(crate) fn has_capacity(&self, place: &Place, instance_type: &str) -> bool {
        let (now, key) = (self.sim.now(), (place.clone(), instance_type.to_owned()));
        let until = self.state().no_capacity_until.get(&key).copied().unwrap_or(0);
        if self.weather.is_bad() && now < until {
            return false;
        }
        if self.weather.strikes(Fault::NoCapacity) {
            let until = now + self.weather.trouble_time();
            self.state().no_capacity_until.insert(key, until);
            return false;
        }
        true
    }

    /// What that token launched before.
    pub(crate) fn launched_by(&self, place: &Place, token: &str) -> Option<(LaunchRequest, InstanceId)> {
        self.state().tokens.get(&(place.clone(), token.to_owned())).cloned()
    }

    /// Launches a machine.
    pub(crate) fn launch(self: &Arc<Self>, place: &Place, request: &LaunchRequest) -> Option<InstanceId> {
        let now = self.sim.now();
        let address = self.take_address();
        let visible_at = now + if self.weather.strikes(Fault::Unlisted) { self.sim.pick(0, 4 * MINUTE) } else { 0 };
        let id = {
            let mut state = self.state();
            state.launched += 1;
            let id: InstanceId = format!("i-{:017x}", state.launched).parse().ok()?;
            let shown = InstanceObservation {
                id: id.clone(),
                state: InstanceState::Pending,
                state_reason_code: None,
                state_reason_message: None,
                instance_type: request.spec.instance_type.clone(),
                ami_id: request.ami_id.clone(),
                availability_zone: Some(format!("{}a", place.region)),
                private_ip: Some(format!("10.0.{}.{}", state.launched / 250, state.launched % 250 + 1)),
                public_ip: Some(address.clone()),
                lifecycle: Lifecycle::OnDemand,
                launched_at: Some(Sim::timestamp(now)),
                detailed_monitoring: request.spec.detailed_monitoring,
                tags: request.tags.clone(),
            };
            let machine = Machine {
                place: place.clone(),
                shown: shown.clone(),
                history: vec![(now, shown)],
                unlisted: (visible_at > now).then_some((now, visible_at)),
                ended_at: None,
                turn: 0,
                running_since: None,
                ran_until: vec![],
                claimed_by: None,
            };
            state.machines.insert(id.clone(), machine);
            state.hosts.insert(address, Host::Machine(id.clone()));
            state.tokens.insert((place.clone(), request.client_token.clone()), (request.clone(), id.clone()));
            id
        };
        self.sim.note(|| format!("EC2 launches {id} by {}", request.client_token));
        self.monitor.launched(self, &id);
        self.tell(&id);
        self.later(&id, self.weather.boot_time(), InstanceState::Running, None);
        Some(id)
    }

    /// A worker took it over.
    pub(crate) fn claimed(&self, id: &InstanceId, worker: &str) {
        if let Some(machine) = self.state().machines.get_mut(id) {
            machine.claimed_by = Some(worker.to_owned());
        }
    }

    /// Begins a start.
    pub(crate) fn start(self: &Arc<Self>, id: &InstanceId) {
        let address = self.take_address();
        self.state().hosts.insert(address.clone(), Host::Machine(id.clone()));
        let launched_at = Sim::timestamp(self.sim.now());
        self.change(id, |machine| {
            machine.shown.public_ip = Some(address);
            machine.shown.launched_at = Some(launched_at);
        });
        self.turn(id, InstanceState::Pending, None);
        self.later(id, self.weather.boot_time(), InstanceState::Running, None);
    }

    /// Begins a stop.
    pub(crate) fn stop(self: &Arc<Self>, id: &InstanceId, reason: Reason) {
        self.turn(id, InstanceState::Stopping, reason);
        self.later(id, self.weather.stop_time(), InstanceState::Stopped, reason);
    }

    /// Begins the end.
    pub(crate) fn terminate(self: &Arc<Self>, id: &InstanceId, reason: Reason) {
        self.turn(id, InstanceState::ShuttingDown, reason);
        self.later(id, self.weather.stop_time(), InstanceState::Terminated, reason);
    }

    /// It is not listed for a while, though it is there, and often not only once.
    pub(crate) fn hide(self: &Arc<Self>, id: &InstanceId) {
        // Less than what the product waits between two looks that miss it.
        let (now, time) = (self.sim.now(), self.sim.pick(10 * SECOND, 4 * MINUTE));
        let lately = |machine: &Machine| machine.unlisted.is_some_and(|(_, to)| now - to < LISTED_BETWEEN_GAPS);
        if self.machine(id, lately).unwrap_or(true) {
            return;
        }
        self.sim.note(|| format!("EC2 does not list {id} for {} s", time / SECOND));
        self.change(id, |machine| machine.unlisted = Some((now, now + time)));
        if self.weather.is_bad() && self.sim.chance(0.5) {
            let again = time + LISTED_BETWEEN_GAPS + self.sim.pick(0, 8 * MINUTE);
            let (cloud, id, pause) = (Arc::downgrade(self), id.clone(), self.sim.pause(again));
            self.sim.spawn(async move {
                pause.await;
                if let Some(cloud) = cloud.upgrade() {
                    cloud.hide(&id);
                }
            });
        }
    }

    fn later(self: &Arc<Self>, id: &InstanceId, time: Moment, to: InstanceState, reason: Reason) {
        let turn = self.machine(id, |machine| machine.turn);
        let (cloud, id, pause) = (Arc::downgrade(self), id.clone(), self.sim.pause(time));
        self.sim.spawn(async move {
            pause.await;
            let Some(cloud) = cloud.upgrade() else { return };
            if cloud.machine(&id, |machine| machine.turn) == turn {
                cloud.turn(&id, to, reason);
            }
        });
    }

    /// A change of state, now.
    fn turn(self: &Arc<Self>, id: &InstanceId, to: InstanceState, reason: Reason) {
        let now = self.sim.now();
        let released = self.change(id, |machine| {
            machine.turn += 1;
            machine.shown.state = to;
            machine.shown.state_reason_code = reason.map(|(code, _)| code.into());
            machine.shown.state_reason_message = reason.map(|(_, message)| message.into());
            if machine.running_since.is_some() {
                machine.ran_until.push(now);
            }
            machine.running_since = (to == InstanceState::Running).then_some(now);
            let off = matches!(to, InstanceState::Stopped | InstanceState::ShuttingDown | InstanceState::Terminated);
            if to == InstanceState::Terminated {
                machine.ended_at = Some(now);
            }
            if off { machine.shown.public_ip.take() } else { None }
        });
        if let Some(address) = released.flatten() {
            self.release_address(address);
        }
        self.sim.note(|| format!("EC2 {id} is {}", to.name()));
        self.tell(id);
    }

    fn take_address(&self) -> String {
        let now = self.sim.now();
        let rests = self.sabotage.address_rests(ADDRESS_RESTS);
        let mut state = self.state();
        if let Some(at) = state.free.iter().position(|(since, _)| now - since >= rests) {
            return state.free.remove(at).1;
        }
        state.addresses += 1;
        format!("203.0.{}.{}", state.addresses / 250, state.addresses % 250 + 1)
    }

    /// The address is free, and sometimes goes to a stranger, after its rest.
    fn release_address(self: &Arc<Self>, address: String) {
        let now = self.sim.now();
        self.state().hosts.remove(&address);
        if !self.weather.strikes(Fault::AddressReused) && self.sabotage != Sabotage::CertificatesUnread {
            self.state().free.push((now, address));
            return;
        }
        let rest = self.sabotage.address_rests(ADDRESS_RESTS);
        let (cloud, pause) = (Arc::downgrade(self), self.sim.pause(rest));
        self.sim.spawn(async move {
            pause.await;
            if let Some(cloud) = cloud.upgrade() {
                cloud.state().hosts.insert(address, Host::Stranger);
            }
        });
    }

    /// EC2's notification of a change: mostly soon and once.
    fn tell(&self, id: &InstanceId) {
        let Some(world) = self.world.get().and_then(Weak::upgrade) else { return };
        if self.weather.strikes(Fault::EventLost) {
            return;
        }
        let times = if self.weather.strikes(Fault::EventDoubled) { 2 } else { 1 };
        for _ in 0..times {
            let delay = if self.weather.strikes(Fault::EventLate) {
                self.sim.pick(MINUTE, 30 * MINUTE)
            } else {
                self.sim.pick(100, 3 * SECOND)
            };
            world.notify(id, delay);
        }
    }
}
