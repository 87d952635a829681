//! What must hold whatever happens: looked at with each write and each call, and at the end.

mod calls;
mod hands;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use app::ports::Item;
use app::store::EVENT_PREFIX;
use domain::{InstanceId, WorkerId};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::controllers::ControllerPark;
use crate::executor::{HOUR, MINUTE, Moment, SECOND, Sim};
use crate::rules::{Rule, Violation};

/// What was wished may still be on its way for as long as a consumer may run.
const ON_ITS_WAY: Moment = 75 * SECOND;
/// A stop is judged on a reading that may be this old. Source: `domain::power`, five minutes and 90 seconds.
const READING_AGE: Moment = 7 * MINUTE;
/// What nobody looked at for so long is not known, and may be counted to either side. Source: three rounds of
/// collection, `PowerPolicy::reading_valid_for`.
const UNKNOWN_FOR: Moment = 17 * MINUTE;
/// How long an event may be on its way to the bus, in good weather. Source: `World::begin`, every five seconds.
const PUBLISHED_WITHIN: Moment = MINUTE;
/// How long what somebody did by hand is left so, in hours: shorter than by default, so that it is over several times
/// a day.
pub(crate) const HAND_HOLDS_HOURS: i64 = 3;
/// The same, and a little less.
const HAND_HOLDS: Moment = HAND_HOLDS_HOURS * HOUR - 20 * MINUTE;
/// How far `DescribeInstances` may lag behind, and a little more. Source: `ec2.rs`.
const LISTS_LAG: Moment = 3 * MINUTE;
/// How long what was done is awaited, and a little less. Source: `ReconcilePolicy::grace` of workers.
const GRACE: Moment = 19 * MINUTE;
/// How long an operation may take: one under way may still act after somebody did something by hand.
const OPERATION_TAKES: Moment = 50 * MINUTE;
/// Violations kept of one run: what follows the first few follows from them.
const VIOLATIONS_MAX: usize = 5;

/// What is known of a worker from what was committed.
#[derive(Clone, Debug, Default)]
struct Known {
    version: u64,
    desired: String,
    /// When it was last wished to run, and last wished not to.
    wished_running: Moment,
    wished_otherwise: Moment,
    status: String,
    instance: Option<String>,
    idle_enabled: bool,
    idle_timeout: Option<i64>,
    /// When a person last wished something.
    user_wished: Option<Moment>,
    /// The operations under way by which a person starts it.
    starts: BTreeSet<String>,
    /// What was done last for its wish, and is awaited.
    awaited: Option<(&'static str, Moment)>,
    /// A person did something at EC2 that nobody has wished away since.
    by_hand: Option<(Hand, Moment)>,
    /// Its host failed while it ran as wished, which nobody has told of since.
    host_failed: bool,
    /// It was started by hand, as far as the product tells, and nobody has wished anything since.
    started_by_hand: bool,
}

/// What a person did at EC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Stopped,
    Terminated,
}

#[derive(Default)]
struct Facts {
    violations: Vec<Violation>,
    workers: BTreeMap<String, Known>,
    /// When each event was committed.
    committed: BTreeMap<String, Moment>,
    published: BTreeSet<String>,
    /// Who is being judged.
    judging: BTreeSet<WorkerId>,
    /// Events on their way to the bus, in the order of their commit.
    stream: Vec<Item>,
}

/// Workers that are being judged, until this is dropped: also where the judging ends in a crash.
pub(crate) struct Judging {
    monitor: Arc<Monitor>,
    ids: Vec<WorkerId>,
}

impl Drop for Judging {
    fn drop(&mut self) {
        let mut facts = self.monitor.facts();
        for id in &self.ids {
            facts.judging.remove(id);
        }
    }
}

/// Watches.
pub(crate) struct Monitor {
    sim: Arc<Sim>,
    pub(crate) park: OnceLock<Weak<ControllerPark>>,
    facts: Mutex<Facts>,
}

fn text(item: &Item, name: &str) -> String {
    item.attributes.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Monitor {
    pub(crate) fn new(sim: &Arc<Sim>) -> Arc<Self> {
        Arc::new(Self { sim: sim.clone(), park: OnceLock::new(), facts: Mutex::default() })
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a violation.
    pub(crate) fn violated(&self, rule: Rule, detail: String) {
        let at = Sim::timestamp(self.sim.now()).to_string();
        self.sim.note(|| format!("VIOLATION {rule:?}: {detail}"));
        let mut facts = self.facts();
        if facts.violations.len() < VIOLATIONS_MAX {
            facts.violations.push(Violation { rule, at, detail });
        }
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.facts().violations.clone()
    }

    /// An item was committed.
    pub(crate) fn written(&self, item: &Item) {
        if item.sk == "WORKER" {
            self.worker_written(item);
        } else if item.sk.starts_with(EVENT_PREFIX) {
            self.event_written(item);
        } else if item.sk == "OP" {
            let target = text(item, "target");
            self.started_here(item, &target);
            if matches!(text(item, "status").as_str(), "failed" | "expired")
                && let Some(known) = self.facts().workers.get_mut(&target)
            {
                known.awaited = None;
            }
            let words = ["id", "kind", "status", "waiting_for"].map(|name| text(item, name));
            self.sim.note(|| format!("operation {} {}", item.pk, words.join(" ")));
        }
    }

    fn worker_written(&self, item: &Item) {
        let (now, id) = (self.sim.now(), text(item, "id"));
        let version = item.version.unwrap_or(0);
        let (gone, overwritten) = {
            let mut facts = self.facts();
            let known = facts.workers.entry(id.clone()).or_default();
            let overwritten = version <= std::mem::replace(&mut known.version, version);
            let before = std::mem::replace(&mut known.desired, text(item, "desired_state"));
            // What was wished until now may still be on its way.
            if known.desired == "running" || before == "running" {
                known.wished_running = now;
            }
            if known.desired != "running" || before != "running" {
                known.wished_otherwise = now;
            }
            known.idle_enabled = item.attributes.get("idle_enabled").and_then(Value::as_bool).unwrap_or(true);
            known.idle_timeout = item.attributes.get("idle_timeout_minutes").and_then(Value::as_i64);
            let instance = item.attributes.get("instance").and_then(|instance| instance.get("id"));
            known.instance = instance.and_then(Value::as_str).map(Into::into);
            let before = std::mem::replace(&mut known.status, text(item, "status"));
            (before != "terminated" && known.status == "terminated", overwritten)
        };
        let state = ["status", "desired_state", "service_status", "missing_since"].map(|name| text(item, name));
        self.sim.note(|| format!("worker {id} v{} {}", item.version.unwrap_or(0), state.join(" ")));
        if overwritten {
            self.violated(Rule::NothingOverwritten, format!("{id} is written as version {version} once more"));
        }
        if gone {
            self.check_gone(&id);
        }
    }

    fn check_gone(&self, id: &str) {
        let Some(park) = self.park.get().and_then(Weak::upgrade) else { return };
        let live = live_machines(&park.cloud, id);
        if !live.is_empty() {
            self.violated(Rule::NotGoneWhileThere, format!("{id} is called terminated, and {live:?} is there"));
        }
    }

    fn event_written(&self, item: &Item) {
        let (kind, worker) = (text(item, "type"), text(item, "worker_id"));
        let actor = item.attributes.get("actor").cloned().unwrap_or_default();
        let data = item.attributes.get("data").cloned().unwrap_or_default();
        self.sim.note(|| format!("event {worker} {kind} by {actor} {data}"));
        let overwritten = {
            let mut facts = self.facts();
            facts.stream.push(item.clone());
            facts.committed.insert(event_id(item), self.sim.now()).is_some()
        };
        if overwritten {
            self.violated(Rule::NothingOverwritten, format!("event {} is written once more", event_id(item)));
        }
        let action = data.get("action").and_then(Value::as_str).unwrap_or_default();
        match kind.as_str() {
            "worker.reconciled" => {
                self.check_grace(&worker, action);
                if action == "stop" {
                    self.check_stop_of_what_was_started_by_hand(&worker);
                }
            }
            "worker.drifted" => self.drifted(&worker, data.get("name").and_then(Value::as_str).unwrap_or_default()),
            "worker.created" | "worker.desired_changed" => {
                let now = self.sim.now();
                let mut facts = self.facts();
                let known = facts.workers.entry(worker.clone()).or_default();
                known.awaited = Some((towards(&known.desired), now));
                (known.host_failed, known.started_by_hand) = (false, false);
            }
            _ => {}
        }
        if kind != "worker.desired_changed" && kind != "worker.created" {
            return;
        }
        if actor.get("kind").and_then(Value::as_str) == Some("user") {
            let now = self.sim.now();
            let mut facts = self.facts();
            let known = facts.workers.entry(worker.clone()).or_default();
            (known.by_hand, known.user_wished) = (None, Some(now));
        }
        let idle = actor.get("name").and_then(Value::as_str) == Some("idle-shutdown");
        if idle && data.get("to").and_then(Value::as_str) == Some("stopped") {
            self.check_idle_stop(&worker);
        }
    }

    /// What was written together.
    pub(crate) fn transacted(&self, items: &[Item]) {
        let event = |item: &&Item| item.sk.starts_with(EVENT_PREFIX) && text(item, "type") == "worker.desired_changed";
        let Some(wish) = items.iter().find(event) else { return };
        let (worker, number) = (text(wish, "worker_id"), wish.attributes.get("sequence"));
        let record = items.iter().find(|item| item.sk == "DUE#power").and_then(|due| due.attributes.get("record"));
        let seen_to = record.is_some_and(|record| {
            let operation = record.get("last_action").and_then(|last| last.get("operation"));
            record.get("wish") == number && operation.is_some_and(Value::is_string)
        });
        if !seen_to {
            self.violated(Rule::WishSeenTo, format!("nothing sees to wish {number:?} of {worker}: {record:?}"));
        }
    }

    /// Something is done for a wish: not what was just done and is awaited still.
    fn check_grace(&self, worker: &str, action: &str) {
        let now = self.sim.now();
        let before = {
            let mut facts = self.facts();
            let known = facts.workers.entry(worker.to_owned()).or_default();
            known.awaited.replace((towards(action), now))
        };
        // Asking twice for an end is asking once; only what brings something up must not be done twice.
        let again =
            |(before, at): &(&str, Moment)| *before == "running" && towards(action) == "running" && now - at < GRACE;
        if let Some((_, at)) = before.filter(again) {
            let ago = (now - at) / SECOND;
            self.violated(Rule::OncePerGrace, format!("{worker}: {action}, which was asked for {ago} s ago"));
        }
    }

    /// Somebody begins to judge these workers.
    pub(crate) fn judge(self: &Arc<Self>, ids: &[WorkerId]) -> Judging {
        let twice: Vec<WorkerId> = ids.iter().filter(|id| !self.facts().judging.insert(**id)).copied().collect();
        if !twice.is_empty() {
            self.violated(Rule::JudgedOneAtATime, format!("{twice:?} are judged already"));
        }
        Judging { monitor: self.clone(), ids: ids.to_owned() }
    }

    /// A stop for idleness: nobody may have used it for its whole timeout, as far as a reading could tell.
    fn check_idle_stop(&self, worker: &str) {
        let Some(park) = self.park.get().and_then(Weak::upgrade) else { return };
        let known = self.facts().workers.get(worker).cloned().unwrap_or_default();
        let Some(instance) = known.instance.and_then(|id| id.parse::<InstanceId>().ok()) else { return };
        if !known.idle_enabled {
            self.violated(Rule::NoStopInUse, format!("{worker} is stopped for idleness, which is off for it"));
        }
        let (now, timeout) = (self.sim.now(), known.idle_timeout.unwrap_or(60) * MINUTE);
        if let Some(at) = park.used_between(&instance, now - timeout + UNKNOWN_FOR, now - READING_AGE) {
            let ago = (now - at) / MINUTE;
            self.violated(Rule::NoStopInUse, format!("{worker} is stopped for idleness, used {ago} min ago"));
        }
    }

    /// The next events on their way to the bus, at most so many.
    pub(crate) fn stream(&self, most: usize) -> Vec<Item> {
        self.facts().stream.iter().take(most).cloned().collect()
    }

    /// So many of them are done.
    pub(crate) fn streamed(&self, done: usize) {
        self.facts().stream.drain(..done);
    }

    /// The bus has an event.
    pub(crate) fn published(&self, id: &str) {
        let known = {
            let mut facts = self.facts();
            facts.published.insert(id.to_owned());
            facts.committed.contains_key(id)
        };
        if !known {
            self.violated(Rule::EventsPublished, format!("{id} is published and was never committed"));
        }
    }

    /// Events that nobody heard of, though they had the time.
    pub(crate) fn unpublished(&self) -> Vec<String> {
        let (facts, now) = (self.facts(), self.sim.now());
        let late = |(id, at): &(&String, &Moment)| now - **at > PUBLISHED_WITHIN && !facts.published.contains(*id);
        facts.committed.iter().filter(late).map(|(id, _)| id.clone()).collect()
    }
}

/// Where an action, or a wish, leads.
fn towards(name: &str) -> &'static str {
    match name {
        "launch" | "start" | "relaunch" | "running" => "running",
        "stop" | "stopped" => "stopped",
        _ => "terminated",
    }
}

/// An event's id as it is published.
pub(crate) fn event_id(item: &Item) -> String {
    let sequence = item.attributes.get("sequence").and_then(Value::as_u64).unwrap_or(0);
    format!("{}-{sequence:012}", text(item, "worker_id"))
}

/// The machines of a worker that cost.
pub(crate) fn live_machines(cloud: &Cloud, worker: &str) -> Vec<InstanceId> {
    cloud.each(|machine| {
        (machine.is_live() && machine.worker().is_some_and(|tag| tag == worker)).then(|| machine.shown.id.clone())
    })
}
