//! One controller at work: its memory, its clocks, and one turn at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::{Clock, Random};
use domain::{SignedDuration, Timestamp};

use crate::certificate;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::model::lab::{Lab, READY_AFTER};
use crate::model::licence::Refusal;
use crate::model::load::{Host, Load};
use crate::model::node::{Node, NodeState};
use crate::model::telemetry::Event;
use crate::model::{Controller, User};
use crate::session::{Session, Sessions};
use crate::store::Store;

/// How far a booting controller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Nothing listens.
    Dark,
    /// The web server answers, with nothing behind it.
    WebServer,
    /// CML answers; no compute can start nodes yet.
    Core,
    /// All is there.
    Ready,
}

impl Stage {
    fn after(up: SignedDuration) -> Self {
        match up.as_secs() {
            ..60 => Self::Dark,
            60..120 => Self::WebServer,
            _ if up < READY_AFTER => Self::Core,
            _ => Self::Ready,
        }
    }
}

/// What all controllers share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) fleet_clock: Arc<dyn Clock>,
    pub(crate) machine_clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

struct Inner {
    controller: Controller,
    sessions: Sessions,
    host: Host,
    faults: Faults,
}

/// One controller.
pub(crate) struct Machine {
    instance_id: String,
    world: World,
    inner: Mutex<Inner>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) session: Session,
    pub(crate) user: User,
}

/// One request's turn at a controller: nobody else's goes on at the same time, and what it changed is
/// remembered when it ends.
pub(crate) struct Turn<'a> {
    inner: &'a mut Inner,
    /// Fleet time, one instant for the whole turn.
    pub(crate) now: Timestamp,
    /// Machine time, for tokens.
    pub(crate) machine_now: Timestamp,
    pub(crate) random: &'a dyn Random,
    events: Vec<Event>,
    dirty: bool,
    /// Whether it is told that the registration ended.
    pub(crate) smart_account_hears: bool,
}

/// What someone who changes a lab writes with.
pub(crate) struct Pen<'a> {
    pub(crate) now: Timestamp,
    pub(crate) random: &'a dyn Random,
    pub(crate) user_id: &'a str,
    pub(crate) events: &'a mut Vec<Event>,
}

impl Machine {
    /// The controller of an instance as it is remembered, or as its image is.
    pub(crate) fn open(instance_id: &str, world: World) -> Result<Self, Failure> {
        let controller = if let Some(controller) = world.store.load(instance_id)? {
            controller
        } else {
            let pems = certificate::self_signed().map_err(Failure::bad_request)?;
            let controller = Controller::new(instance_id, world.fleet_clock.now(), world.random.as_ref(), pems);
            world.store.save(instance_id, &controller)?;
            controller
        };
        // Here, because a state older than the smart account has controllers in it that were registered once.
        if controller.licence.is_registered() {
            world.store.take_seat(instance_id)?;
        }
        let sessions = Sessions::new(world.random.as_ref());
        let host = Host { instance_type: String::new(), vcpus: 1 };
        let inner = Inner { controller, sessions, host, faults: Faults::default() };
        Ok(Self { instance_id: instance_id.to_owned(), world, inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in one request must not take the controller away from all others.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a turn.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let now = self.world.fleet_clock.now();
        let was_registered = inner.controller.licence.is_registered();
        let events = inner.controller.advance(&inner.host, now);
        let machine_now = self.world.machine_clock.now();
        let random = self.world.random.as_ref();
        let mut turn =
            Turn { dirty: !events.is_empty(), inner, now, machine_now, random, events, smart_account_hears: true };
        let answer = work(&mut turn);
        let Turn { inner, events, dirty, smart_account_hears, .. } = turn;
        if dirty {
            match (was_registered, inner.controller.licence.is_registered()) {
                (false, true) => self.world.store.take_seat(&self.instance_id)?,
                (true, false) if smart_account_hears => self.world.store.free_seat(&self.instance_id)?,
                _ => {}
            }
            self.world.store.save(&self.instance_id, &inner.controller)?;
        }
        self.world.store.append(&self.instance_id, &events)?;
        answer
    }

    /// Its machine runs, since then, on such a host.
    pub(crate) fn power_on(&self, since: Timestamp, host: Host) -> Result<(), Failure> {
        let mut inner = self.lock();
        inner.host = host;
        if inner.controller.power_on(since) {
            inner.sessions = Sessions::new(self.world.random.as_ref());
            self.world.store.save(&self.instance_id, &inner.controller)?;
        }
        Ok(())
    }

    /// Its machine stopped.
    pub(crate) fn power_off(&self) -> Result<(), Failure> {
        self.with(|turn| {
            turn.edit().power_off();
            Ok(())
        })
    }

    /// How far it is.
    pub(crate) fn stage(&self) -> Stage {
        let since = self.lock().controller.booted_at;
        since.map_or(Stage::Dark, |since| Stage::after(self.world.fleet_clock.now().duration_since(since)))
    }

    /// Its certificate and key.
    pub(crate) fn pems(&self) -> (String, String) {
        let inner = self.lock();
        (inner.controller.certificate_pem.clone(), inner.controller.key_pem.clone())
    }

    /// Another certificate, which the next server shows.
    pub(crate) fn change_certificate(&self) -> Result<(), Failure> {
        let pems = certificate::self_signed().map_err(Failure::bad_request)?;
        self.with(|turn| {
            (turn.edit().certificate_pem, turn.edit().key_pem) = pems;
            Ok(())
        })
    }

    /// What goes wrong with it.
    pub(crate) fn with_faults<T>(&self, work: impl FnOnce(&mut Faults) -> T) -> T {
        work(&mut self.lock().faults)
    }

    /// The whole telemetry, oldest first.
    pub(crate) fn telemetry(&self) -> Result<Vec<Event>, Failure> {
        self.with(|_| Ok(()))?;
        Ok(self.world.store.telemetry(&self.instance_id)?)
    }

    /// The numbers of its host.
    pub(crate) fn load(&self) -> Load {
        let inner = self.lock();
        if inner.controller.booted_at.is_none() {
            return Load::default();
        }
        inner.controller.demand(self.world.fleet_clock.now()).load(&inner.host)
    }
}

impl Turn<'_> {
    pub(crate) fn controller(&self) -> &Controller {
        &self.inner.controller
    }

    pub(crate) fn host(&self) -> &Host {
        &self.inner.host
    }

    /// The controller, to change it.
    pub(crate) fn edit(&mut self) -> &mut Controller {
        self.dirty = true;
        &mut self.inner.controller
    }

    pub(crate) fn sessions(&mut self) -> &mut Sessions {
        &mut self.inner.sessions
    }

    pub(crate) fn faults(&mut self) -> &mut Faults {
        &mut self.inner.faults
    }

    /// Adds to the telemetry.
    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// What a user writes with who makes something new.
    pub(crate) fn pen<'b>(&'b mut self, user_id: &'b str) -> Pen<'b> {
        Pen { now: self.now, random: self.random, user_id, events: &mut self.events }
    }

    /// Who holds the token.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let session = self.inner.sessions.check(token, self.machine_now)?;
        let user = self.controller().user(&session.user_id)?.clone();
        Some(Caller { session, user })
    }

    /// The state of a node, as this version shows it.
    pub(crate) fn state_of(&self, node: &Node) -> NodeState {
        node.state(self.now).shown_by(self.controller().version)
    }

    /// Refuses to run more nodes than are licensed.
    pub(crate) fn must_have_seats(&self, wanted: u32) -> Result<(), Failure> {
        let (left, limit) = (self.controller().seats_left(self.now), self.controller().licence.node_limit());
        if wanted <= left {
            return Ok(());
        }
        let why = format!("Starting {wanted} nodes exceeds the licensed limit of {limit} nodes ({left} left).");
        Err(Refusal { why, conflict: false }.into())
    }

    /// The labs the caller may see.
    pub(crate) fn labs<'b>(&'b self, caller: &'b Caller) -> impl Iterator<Item = &'b Lab> {
        self.controller().labs.iter().filter(|lab| caller.may_see(lab))
    }

    /// A lab the caller may see.
    pub(crate) fn lab(&self, caller: &Caller, id: &str) -> Result<&Lab, Failure> {
        let lab = self.controller().labs.iter().find(|lab| lab.id == id && caller.may_see(lab));
        lab.ok_or_else(|| Failure::no_lab(id))
    }

    /// A lab the caller may change, and what to write with.
    pub(crate) fn lab_mut<'b>(&'b mut self, caller: &'b Caller, id: &str) -> Result<(&'b mut Lab, Pen<'b>), Failure> {
        let lab = self.inner.controller.labs.iter_mut().find(|lab| lab.id == id && caller.may_see(lab));
        let lab = lab.ok_or_else(|| Failure::no_lab(id))?;
        self.dirty = true;
        let pen = Pen { now: self.now, random: self.random, user_id: &caller.user.id, events: &mut self.events };
        Ok((lab, pen))
    }
}

impl Caller {
    fn may_see(&self, lab: &Lab) -> bool {
        self.user.admin || lab.owner == self.user.id
    }

    /// Refuses who is no administrator.
    pub(crate) fn must_be_admin(&self) -> Result<(), Failure> {
        if self.user.admin { Ok(()) } else { Err(Failure::forbidden()) }
    }
}
