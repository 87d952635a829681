//! What must hold of labs, of the ends of workers and of instances that others launched: looked at with each write
//! and each call.

use domain::InstanceId;

use crate::cloud::Cloud;
use crate::executor::{HOUR, MINUTE, Moment, SECOND};
use crate::invariants::live_machines;
use crate::rules::Rule;
use crate::watch::{ByHand, Doing, Facts, ON_ITS_WAY, Watch};

/// How long what somebody did by hand is left so. Source: `ReconcilePolicy::manual_change_hold`.
const HAND_HOLDS: Moment = 12 * HOUR;
/// The longest that an invocation which began before a brake was on may go on. Source: `sqs::time_limit`.
const BRAKE_REACHES_ALL_WITHIN: Moment = 130 * SECOND;
/// A controller is read so often while it answers. Source: docs/LICENSES.md, "at once"; and a round that is lost.
const READ_WITHIN: Moment = 11 * MINUTE;
/// A machine's start is seen so much later.
const START_IS_SEEN_WITHIN: Moment = 10 * MINUTE;

/// A change that is made at EC2 or at a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// It ends what runs, or destroys what is.
    Destroys,
    /// It does not.
    Changes,
}

impl Facts {
    /// The safe end, or the end by force, that a worker is in.
    fn end_under_way(&self, worker: &str) -> Option<(&Doing, Moment)> {
        let (id, since) = self.endings.get(worker)?;
        let doing = self.operations.get(id).filter(|one| one.ended_at.is_none())?;
        Some((doing, *since))
    }

    fn of_lab<'a>(&'a self, worker: &'a str, lab: &'a str) -> impl Iterator<Item = (&'a String, &'a Doing)> {
        let is = move |one: &Doing| one.kind == "act_on_lab" && one.worker == worker && one.lab == lab;
        self.operations.iter().filter(move |(_, one)| is(one))
    }

    fn is_saved(&self, what: &str) -> bool {
        self.files.iter().any(|(key, first)| first == what && self.backups.contains(key))
    }
}

impl Watch {
    /// Something is changed at EC2 or at a controller: not while a brake is on.
    pub(crate) fn touches(&self, what: &str, touch: Touch) {
        let (now, frozen) = (self.sim.now(), self.facts().frozen_since);
        let held = |since: Option<Moment>| since.is_some_and(|since| now - since > BRAKE_REACHES_ALL_WITHIN);
        if held(self.periods.safe_since()) {
            self.monitor.violated(Rule::BrakesHold, format!("{what} is done, and SAFE_MODE is on"));
        }
        if touch == Touch::Destroys && held(frozen) {
            self.monitor.violated(Rule::BrakesHold, format!("{what} is done, and the fleet is frozen"));
        }
    }

    /// The product changes something of an instance: only of one that a worker stands for.
    pub(crate) fn touches_instance(&self, cloud: &Cloud, what: &str, id: &InstanceId, touch: Touch) {
        let worker = cloud.machine(id, |machine| machine.worker().cloned()).flatten();
        self.touches(&format!("{what} of {id} of {worker:?}"), touch);
        let known = worker.is_some_and(|worker| self.facts().workers.contains_key(&worker));
        if !known {
            self.monitor.violated(Rule::OnlyOurs, format!("{what} of {id}, which nobody took over"));
        }
    }

    /// A worker stands for an instance: no other does.
    pub(crate) fn check_claim(&self, worker: &str, instance: &str) {
        let Some(park) = self.park() else { return };
        if let Ok(id) = instance.parse() {
            park.cloud.claimed(&id, worker);
        }
        let other = {
            let facts = self.facts();
            let is = |one: &crate::watch::Owner| one.instance.as_deref() == Some(instance) && !one.is_final;
            let alive = facts.workers.get(worker).is_some_and(|one| !one.is_final);
            let other = facts.workers.iter().find(|(id, one)| *id != worker && alive && is(one));
            other.map(|(id, _)| id.clone())
        };
        if let Some(other) = other {
            self.monitor.violated(Rule::OneClaim, format!("{worker} and {other} both stand for {instance}"));
        }
    }

    /// A worker's end says that it is done: then its machines are.
    pub(crate) fn check_ended(&self, operation: &str, worker: &str) {
        let Some(park) = self.park() else { return };
        let live = live_machines(&park.cloud, worker);
        if !live.is_empty() {
            let detail = format!("{worker} was ended by {operation}, and {live:?} cost");
            self.monitor.violated(Rule::EndMeansGone, detail);
        }
    }

    /// A safe end has become a termination: nobody took it back, unless it was to end by force after that.
    pub(crate) fn check_not_taken_back(&self, operation: &str, worker: &str) {
        let against = {
            let facts = self.facts();
            let ending = facts.endings.get(worker).and_then(|(id, _)| facts.operations.get(id));
            let forced = ending.is_some_and(|ending| ending.began_as == "terminate_worker");
            facts.taken_back.contains(operation) && !forced
        };
        if against {
            let detail = format!("{worker} is terminated by {operation}, which was taken back");
            self.monitor.violated(Rule::TakenBackStays, detail);
        }
    }

    /// A machine is terminated by the product: what was on it is saved, and its seat given back, unless by force.
    pub(crate) fn check_saved(&self, id: &InstanceId) {
        let Some(park) = self.park() else { return };
        let Some(worker) = park.cloud.machine(id, |machine| machine.worker().cloned()).flatten() else { return };
        // What somebody does after the last look is lost, as the notice in CML says.
        let Some(looked_at) = self.last_look(&worker) else { return };
        // What was done shortly before a machine ceased to run may never have been read.
        let (runs, stops) = park.cloud.machine(id, |one| (one.runs(), one.ran_until.clone())).unwrap_or_default();
        let unseen = |at: Moment| !runs && stops.iter().any(|until| (until - READ_WITHIN..=*until).contains(&at));
        let before = |at: Moment| at < looked_at - ON_ITS_WAY && !unseen(at);
        let (labs, seat) = park.with(id, |one| {
            let of = |(lab, one): (&String, &crate::labs::SimLab)| (lab.clone(), one.changed_at, one.label(id, lab));
            (one.labs.iter().map(of).collect::<Vec<_>>(), one.registered_at)
        });
        self.sim.note(|| format!("{worker} ends the safe way with {} labs on {id}", labs.len()));
        for (lab, changed_at, label) in labs {
            if before(changed_at) && !self.facts().is_saved(&label) {
                let ago = (self.sim.now() - changed_at) / MINUTE;
                let detail = format!("{lab} is lost with {worker} ({id}), changed {ago} min ago");
                self.monitor.violated(Rule::LabsSaved, detail);
            }
        }
        if seat.is_some_and(before) {
            self.monitor.violated(Rule::SeatsBack, format!("{worker} ({id}) is terminated, and its seat is taken"));
        }
    }

    /// When what is on a worker was to be saved by, at the latest; none when it was given up.
    fn last_look(&self, worker: &str) -> Option<Moment> {
        let facts = self.facts();
        let owner = facts.workers.get(worker)?;
        // CML never answered, as the operation says: there is no look.
        if !owner.was_in_contact {
            return None;
        }
        let ending = facts.endings.get(worker).and_then(|(id, _)| facts.operations.get(id));
        match ending {
            Some(ending) if ending.began_as == "terminate_worker" => None,
            Some(ending) => Some(ending.handed_over_at.map_or(owner.since, |at| at.min(owner.since))),
            None => Some(owner.since),
        }
    }

    /// The reconciler begins something at a lab.
    pub(crate) fn check_lab_begun(&self, id: &str, doing: &Doing) {
        let now = self.sim.now();
        let (lab, action) = ((doing.worker.clone(), doing.lab.clone()), doing.action.as_str());
        let what = format!("lab {} of {}: {action} by {id}", doing.lab, doing.worker);
        let (unwished, again, by_hand) = {
            let facts = self.facts();
            let wish = facts.wishes.get(&lab);
            let wished = if action == "start" { "started" } else { "stopped" };
            let turns = |one: &Doing| matches!(one.action.as_str(), "start" | "stop");
            let others = facts.of_lab(&lab.0, &lab.1).filter(|(other, one)| *other != id && turns(one));
            let last = others.max_by_key(|(_, one)| one.begun_at);
            let again = last.filter(|(_, one)| one.ended_at.is_none()).map(|(other, _)| other.clone());
            (wish.is_none_or(|wish| wish.desired != wished), again, facts.hands.get(&lab).copied())
        };
        if unwished {
            self.monitor.violated(Rule::LabsAsWished, format!("{what}, which nobody wishes"));
        }
        if let Some(other) = again {
            self.monitor.violated(Rule::LabOncePerGrace, format!("{what}, and {other} is under way"));
        }
        if let Some(by_hand) = by_hand.filter(|by_hand| now - by_hand.at < HAND_HOLDS)
            && self.runs_since(&doing.worker) == Some(by_hand.running_since)
        {
            let ago = (now - by_hand.at) / MINUTE;
            let detail = format!("{what}, {ago} min after somebody turned it in CML");
            self.monitor.violated(Rule::LabHandRespected, detail);
        }
    }

    fn runs_since(&self, worker: &str) -> Option<Moment> {
        let instance = self.facts().workers.get(worker)?.instance.clone()?;
        self.park()?.running_since(&instance.parse().ok()?)
    }

    /// A person starts or stops a lab in CML.
    pub(crate) fn turned_by_hand(&self, worker: &str, lab: &str, on: bool) {
        let (now, key) = (self.sim.now(), (worker.to_owned(), lab.to_owned()));
        let Some(running_since) = self.runs_since(worker) else { return };
        let mut facts = self.facts();
        let under_way = facts.of_lab(worker, lab).any(|(_, one)| one.may_act(now));
        let against = facts.wishes.get(&key).is_some_and(|wish| {
            // Only where it was known to be as wished can it be told from what was never done.
            let seen = running_since + START_IS_SEEN_WITHIN;
            let known = wish.as_wished_at.is_some_and(|at| at >= wish.wished_at && at > seen);
            known && (wish.desired == "started") != on
        });
        if against && !under_way {
            facts.hands.entry(key).or_insert(ByHand { at: now, running_since });
        } else {
            facts.hands.remove(&key);
        }
    }

    /// Somebody asked for the lab to be stopped, and that was not done yet.
    pub(crate) fn is_to_stop(&self, worker: &str, lab: &str) -> bool {
        let now = self.sim.now();
        self.facts().of_lab(worker, lab).any(|(_, one)| one.action == "stop" && one.may_act(now))
    }

    /// The product does something to a lab at a controller.
    pub(crate) fn touches_lab(&self, worker: &str, lab: &str, action: &str) {
        let (now, what) = (self.sim.now(), format!("{action} of lab {lab} of {worker}"));
        self.touches(&what, if action == "start" { Touch::Changes } else { Touch::Destroys });
        let (asked, ended) = {
            let facts = self.facts();
            let asks = |one: &Doing| one.action == action && one.may_act(now);
            let retires = |one: &Doing| one.worker == worker && one.began_as == "retire_worker" && one.may_act(now);
            let retiring = action == "stop" && facts.operations.values().any(retires);
            let ends = facts.end_under_way(worker).is_some_and(|(_, since)| now - since > ON_ITS_WAY);
            (retiring || facts.of_lab(worker, lab).any(|(_, one)| asks(one)), ends && !retiring)
        };
        if !asked {
            self.monitor.violated(Rule::LabsAsWished, format!("{what}, which nobody asked for"));
        }
        if ended {
            self.monitor.violated(Rule::NothingAtAnEnd, format!("{what}, which is being ended"));
        }
    }
}

/// Whether an item is one of the lists of workers that an empty store has not.
pub(crate) fn lists_workers(partition: &str) -> bool {
    matches!(partition, "WORKERS" | "RUNNING")
}
