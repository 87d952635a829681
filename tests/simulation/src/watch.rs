//! What was committed of labs, of the ends of workers and of instances: the facts that `rules_labs.rs` judges by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use app::ports::{Item, ItemKey};
use serde_json::{Map, Value};

use crate::controllers::ControllerPark;
use crate::executor::{MINUTE, Moment, SECOND, Sim};
use crate::invariants::Monitor;
use crate::periods::Periods;

/// What was written may be news to somebody who has read before, for as long as a consumer may run.
pub(crate) const ON_ITS_WAY: Moment = 75 * SECOND;
/// Ended operations that may still have a call on its way are known for so long.
const KNOWN_AFTER_THE_END: Moment = 10 * MINUTE;

/// A lab of a worker.
pub(crate) type LabKey = (String, String);

/// An operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doing {
    pub(crate) worker: String,
    pub(crate) kind: String,
    /// The lab, and what is done to it.
    pub(crate) lab: String,
    pub(crate) action: String,
    /// Which system began it; empty for a person.
    pub(crate) by: String,
    pub(crate) begun_at: Moment,
    pub(crate) ended_at: Option<Moment>,
    /// It had nothing left to save.
    pub(crate) handed_over_at: Option<Moment>,
    /// What it was first: a safe end becomes a termination.
    pub(crate) began_as: String,
}

impl Doing {
    /// It goes on, or a call of it may.
    pub(crate) fn may_act(&self, now: Moment) -> bool {
        self.ended_at.is_none_or(|at| now - at < ON_ITS_WAY)
    }
}

/// A worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    pub(crate) instance: Option<String>,
    pub(crate) is_final: bool,
    pub(crate) desired: String,
    /// Since when that is wished.
    pub(crate) since: Moment,
    /// CML on its machine was in contact with us, before it was wished gone.
    pub(crate) was_in_contact: bool,
}

/// A wish for a lab.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) desired: String,
    pub(crate) wished_at: Moment,
    pub(crate) as_wished_at: Option<Moment>,
}

/// What a person did to a lab in CML, against its wish.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByHand {
    pub(crate) at: Moment,
    /// Since when the machine ran.
    pub(crate) running_since: Moment,
}

#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) operations: BTreeMap<String, Doing>,
    /// Which operation ends a worker, and since when.
    pub(crate) endings: BTreeMap<String, (String, Moment)>,
    /// Ends that somebody took back.
    pub(crate) taken_back: BTreeSet<String>,
    pub(crate) workers: BTreeMap<String, Owner>,
    pub(crate) wishes: BTreeMap<LabKey, Wish>,
    pub(crate) hands: BTreeMap<LabKey, ByHand>,
    /// Files that are kept, by key: the first line of each, which says of what it is.
    pub(crate) files: BTreeMap<String, String>,
    /// Backups that are recorded.
    pub(crate) backups: BTreeSet<String>,
    pub(crate) frozen_since: Option<Moment>,
}

/// Watches.
pub(crate) struct Watch {
    pub(crate) sim: Arc<Sim>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) periods: Arc<Periods>,
    pub(crate) park: OnceLock<Weak<ControllerPark>>,
    facts: Mutex<Facts>,
}

type Attributes = Map<String, Value>;

/// What is at a path: `a.b`.
fn at<'a>(attributes: &'a Attributes, path: &str) -> Option<&'a str> {
    let mut names = path.split('.');
    let first = attributes.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))?.as_str()
}

fn text(attributes: &Attributes, path: &str) -> String {
    at(attributes, path).unwrap_or_default().to_owned()
}

fn moment(attributes: &Attributes, path: &str) -> Option<Moment> {
    Some(Sim::moment(at(attributes, path)?.parse().ok()?))
}

impl Watch {
    pub(crate) fn new(sim: &Arc<Sim>, monitor: &Arc<Monitor>, periods: &Arc<Periods>) -> Arc<Self> {
        Arc::new(Self {
            sim: sim.clone(),
            monitor: monitor.clone(),
            periods: periods.clone(),
            park: OnceLock::new(),
            facts: Mutex::default(),
        })
    }

    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn park(&self) -> Option<Arc<ControllerPark>> {
        self.park.get()?.upgrade()
    }

    /// An item was committed; null when it was deleted.
    pub(crate) fn written(&self, key: &ItemKey, item: Option<&Item>) {
        let lab = key.sk.strip_prefix("WISH#LAB#").zip(key.pk.strip_prefix("WORKER#"));
        let lab = lab.map(|(lab, worker)| (worker.to_owned(), lab.to_owned()));
        let Some(item) = item else {
            if let Some(lab) = lab {
                self.sim.note(|| format!("lab {} of {} has no wish any more", lab.1, lab.0));
                self.facts().wishes.remove(&lab);
            }
            return;
        };
        if !matches!(key.sk.as_str(), "OP" | "WORKER" | "ENDING" | "BACKUP" | "SENTINEL") && lab.is_none() {
            return;
        }
        let attributes = &item.attributes;
        if let Some(lab) = lab {
            self.wish_written(lab, attributes);
            return;
        }
        match key.sk.as_str() {
            "OP" => self.operation_written(attributes),
            "WORKER" => self.worker_written(attributes),
            "ENDING" => {
                let (worker, now) = (key.pk.trim_start_matches("WORKER#").to_owned(), self.sim.now());
                let (id, stage) = (text(attributes, "operation_id"), text(attributes, "stage"));
                self.sim.note(|| format!("{worker} is being ended by {id}: {stage}"));
                let mut facts = self.facts();
                if stage == "taken_back" {
                    facts.endings.remove(&worker);
                    facts.taken_back.insert(id);
                } else if facts.endings.get(&worker).is_none_or(|(before, _)| *before != id) {
                    facts.endings.insert(worker, (id, now));
                }
            }
            "BACKUP" => {
                if let Ok(id) = text(attributes, "id").parse() {
                    self.facts().backups.insert(domain::backup::file_key(id));
                }
            }
            _ => self.fleet_written(attributes),
        }
    }

    fn fleet_written(&self, attributes: &Attributes) {
        let (now, frozen) = (self.sim.now(), moment(attributes, "frozen_since").is_some());
        let mut facts = self.facts();
        if frozen != facts.frozen_since.is_some() {
            self.sim.note(|| format!("the fleet is {}", if frozen { "frozen" } else { "not frozen" }));
            facts.frozen_since = frozen.then_some(now);
        }
    }

    fn wish_written(&self, lab: LabKey, attributes: &Attributes) {
        let wish = Wish {
            desired: text(attributes, "desired"),
            wished_at: moment(attributes, "wished_at").unwrap_or(0),
            as_wished_at: moment(attributes, "as_wished_at"),
        };
        let (action, reason) = (text(attributes, "action"), text(attributes, "reason"));
        self.sim.note(|| format!("lab {} of {} wished {}: {action} {reason}", lab.1, lab.0, wish.desired));
        let mut facts = self.facts();
        let anew = facts.wishes.get(&lab).is_none_or(|before| before.wished_at != wish.wished_at);
        if anew {
            facts.hands.remove(&lab);
        }
        facts.wishes.insert(lab, wish);
    }

    fn worker_written(&self, attributes: &Attributes) {
        let (now, id) = (self.sim.now(), text(attributes, "id"));
        let status = text(attributes, "status");
        let desired = text(attributes, "desired_state");
        let instance = Some(text(attributes, "instance.id")).filter(|id| !id.is_empty());
        {
            let mut facts = self.facts();
            let owner = facts.workers.entry(id.clone()).or_default();
            let pinned = attributes.get("certificate_sha256").is_some_and(Value::is_string);
            let anew = owner.desired != desired;
            if anew || desired != "terminated" {
                owner.was_in_contact = pinned;
            }
            if anew {
                (owner.desired, owner.since) = (desired, now);
            }
            owner.instance.clone_from(&instance);
            owner.is_final = matches!(status.as_str(), "terminated" | "failed");
        }
        if let Some(instance) = instance {
            self.check_claim(&id, &instance);
        }
    }

    fn operation_written(&self, attributes: &Attributes) {
        let (now, id, status) = (self.sim.now(), text(attributes, "id"), text(attributes, "status"));
        let kind = text(attributes, "task.kind");
        let (doing, begins) = {
            let mut facts = self.facts();
            let begins = !facts.operations.contains_key(&id);
            if begins {
                let Facts { operations, endings, .. } = &mut *facts;
                // What it was that ended a worker stands for good.
                let ends = |id: &String, one: &Doing| endings.get(&one.worker).is_some_and(|(ending, _)| ending == id);
                operations
                    .retain(|id, one| one.ended_at.is_none_or(|at| now - at < KNOWN_AFTER_THE_END) || ends(id, one));
            }
            let doing = facts.operations.entry(id.clone()).or_insert_with(|| Doing {
                worker: text(attributes, "target"),
                lab: text(attributes, "task.lab"),
                action: text(attributes, "task.action.do"),
                by: text(attributes, "requested_by.name"),
                begun_at: now,
                began_as: kind.clone(),
                ..Doing::default()
            });
            doing.kind.clone_from(&kind);
            if text(attributes, "task.step") == "hand_over" {
                doing.handed_over_at.get_or_insert(now);
            }
            if !matches!(status.as_str(), "queued" | "running") {
                doing.ended_at.get_or_insert(now);
            }
            (doing.clone(), begins)
        };
        if begins || doing.ended_at == Some(now) {
            let words = ["status", "error.code", "error.message"].map(|path| text(attributes, path));
            let Doing { worker, lab, action, by, .. } = &doing;
            self.sim.note(|| format!("{id} {kind} {worker} {lab} {action} {by} {}", words.join(" ")));
        }
        let is_use = match kind.as_str() {
            "start_worker" => begins,
            "act_on_lab" => doing.ended_at == Some(now),
            _ => false,
        };
        if is_use && doing.by.is_empty() {
            self.used(&doing.worker);
        }
        if begins && doing.kind == "act_on_lab" && doing.by == "reconciler" {
            self.check_lab_begun(&id, &doing);
        }
        if kind == "terminate_worker" && doing.began_as == "retire_worker" {
            self.check_not_taken_back(&id, &doing.worker);
        }
        if status == "succeeded" && kind == "terminate_worker" {
            self.check_ended(&id, &doing.worker);
        }
    }

    /// Whoever wants a worker to run, or has something done at a lab of it, uses it.
    fn used(&self, worker: &str) {
        let now = self.sim.now();
        let instance = self.facts().workers.get(worker).and_then(|owner| owner.instance.as_ref()?.parse().ok());
        if let Some((park, instance)) = self.park().zip(instance) {
            park.with(&instance, |one| one.uses.push(now));
        }
    }

    /// A file is kept.
    pub(crate) fn file_kept(&self, key: &str, content: &[u8]) {
        let first = String::from_utf8_lossy(content).lines().next().unwrap_or_default().to_owned();
        self.facts().files.insert(key.to_owned(), first);
    }

    /// A file is gone.
    pub(crate) fn file_gone(&self, key: &str) {
        self.facts().files.remove(key);
    }
}
