//! Labs as they are on a controller.

use app::ports::{CmlLab, CmlNode, CmlState};
use domain::InstanceId;

use crate::controllers::{ControllerPark, PERSON};
use crate::executor::{MINUTE, Moment, SECOND, Sim};

/// Labs that people make on one controller.
const LABS_MAX: usize = 3;

/// A lab.
#[derive(Clone, Debug)]
pub(crate) struct SimLab {
    pub(crate) nodes: u32,
    /// Counts what people changed of it.
    revision: u64,
    made_at: Moment,
    pub(crate) changed_at: Moment,
    /// Since when it is wanted to run.
    pub(crate) started_at: Option<Moment>,
    /// When its nodes have done what they were told.
    pub(crate) converged_at: Moment,
    /// When it was last started or stopped, by whomever.
    pub(crate) turned_at: Moment,
    /// It has disks.
    has_run: bool,
}

impl SimLab {
    fn new(nodes: u32, now: Moment) -> Self {
        Self {
            nodes,
            revision: 1,
            made_at: now,
            changed_at: now,
            started_at: None,
            converged_at: now,
            turned_at: now,
            has_run: false,
        }
    }

    /// It runs: it was started since the machine was.
    pub(crate) fn runs(&self, since: Moment) -> bool {
        self.started_at.is_some_and(|at| at >= since)
    }

    /// How many of its nodes run; those that are told to stop take their time.
    pub(crate) fn running_nodes(&self, since: Moment, now: Moment) -> u32 {
        let stops = self.has_run && self.turned_at >= since && self.converged_at > now;
        if self.runs(since) || stops { self.nodes } else { 0 }
    }

    /// What CML shows of it.
    pub(crate) fn state(&self, since: Moment) -> CmlState {
        match (self.runs(since), self.has_run) {
            (true, _) => CmlState::Started,
            (false, true) => CmlState::Stopped,
            (false, false) => CmlState::DefinedOnCore,
        }
    }

    /// By what a saved file is told to be of this lab, as it is now.
    pub(crate) fn label(&self, machine: &InstanceId, id: &str) -> String {
        format!("# {id} on {machine}, revision {}", self.revision)
    }

    /// What is downloaded.
    pub(crate) fn file(&self, machine: &InstanceId, id: &str) -> String {
        let nodes: String = (0..self.nodes).map(|n| format!("- id: n{n}\n")).collect();
        format!("{}\nnodes:\n{nodes}", self.label(machine, id))
    }

    /// As CML lists it.
    pub(crate) fn listed(&self, id: &str, since: Moment) -> CmlLab {
        CmlLab {
            id: id.into(),
            title: Some(id.into()),
            state: Some(self.state(since)),
            owner_username: Some(PERSON.into()),
            node_count: Some(self.nodes),
            created_at: Some(Sim::timestamp(self.made_at)),
            modified_at: Some(Sim::timestamp(self.changed_at)),
            ..CmlLab::default()
        }
    }

    /// Its nodes.
    pub(crate) fn shown_nodes(&self, since: Moment, now: Moment) -> Vec<CmlNode> {
        let state = match self.state(since) {
            CmlState::Started if self.converged_at <= now => CmlState::Booted,
            other => other,
        };
        let node = |n| CmlNode { id: format!("n{n}"), state: Some(state.clone()), ..CmlNode::default() };
        (0..self.nodes).map(node).collect()
    }

    /// Starts or stops it.
    pub(crate) fn turn(&mut self, on: bool, now: Moment, takes: Moment) {
        self.started_at = on.then_some(now);
        self.has_run |= on;
        (self.turned_at, self.converged_at) = (now, now + takes);
    }

    /// Its disks are gone.
    pub(crate) fn wipe(&mut self, now: Moment) {
        (self.has_run, self.turned_at) = (false, now);
    }
}

impl ControllerPark {
    /// Starts or stops a lab.
    pub(crate) fn turn_lab(&self, id: &InstanceId, lab: &str, on: bool) {
        let (now, time) = (self.sim.now(), self.sim.pick(5 * SECOND, 3 * MINUTE));
        self.sim.note(|| format!("{lab} on {id} is {}", if on { "started" } else { "stopped" }));
        self.with(id, |one| {
            if let Some(lab) = one.labs.get_mut(lab) {
                lab.turn(on, now, time);
            }
            // Until when it ran as somebody's use is noted every minute.
            if on {
                one.uses.push(now);
            }
        });
    }

    /// A person starts or stops a lab in CML.
    pub(crate) fn person_turns(&self, id: &InstanceId, lab: &str, on: bool) {
        let Some(since) = self.running_since(id) else { return };
        let turns = self.with(id, |one| one.labs.get(lab).is_some_and(|lab| lab.runs(since) != on));
        if !turns {
            return;
        }
        if let Some(worker) = self.cloud.machine(id, |machine| machine.worker().cloned()).flatten() {
            self.cloud.watch.turned_by_hand(&worker, lab, on);
        }
        self.person_does(id, if on { "start_lab" } else { "stop_lab" });
        self.turn_lab(id, lab, on);
    }

    /// A person takes a lab to work on: makes one, stopped, or goes on with one that is there.
    pub(crate) fn person_takes(&self, id: &InstanceId) -> Option<String> {
        let now = self.sim.now();
        let known: Vec<String> = self.with(id, |one| one.labs.keys().cloned().collect());
        let makes = known.is_empty() || (known.len() < LABS_MAX && self.sim.chance(0.3));
        let number = usize::try_from(self.sim.pick(0, i64::try_from(known.len()).ok()? - 1)).ok()?;
        let lab = if makes {
            self.with(id, |one| {
                one.labs_made += 1;
                let lab = format!("lab-{}", one.labs_made);
                one.labs.insert(lab.clone(), SimLab::new(3, now));
                lab
            })
        } else {
            known.get(number)?.clone()
        };
        if makes || self.sim.chance(0.3) {
            self.sim.note(|| format!("somebody changes {lab} on {id}"));
            self.with(id, |one| {
                if let Some(lab) = one.labs.get_mut(&lab) {
                    (lab.revision, lab.changed_at) = (lab.revision + 1, now);
                }
            });
            self.person_does(id, "user_activity");
        }
        Some(lab)
    }

    /// A person deletes a lab that does not run.
    pub(crate) fn person_deletes(&self, id: &InstanceId, lab: &str) {
        let Some(since) = self.running_since(id) else { return };
        let now = self.sim.now();
        self.sim.note(|| format!("somebody deletes {lab} on {id}, unless it runs"));
        self.with(id, |one| {
            if one.labs.get(lab).is_some_and(|lab| !lab.runs(since)) {
                one.labs.remove(lab);
                one.lab_deleted_at = now;
            }
        });
        self.person_does(id, "user_activity");
    }
}
