//! What people and hosts do to machines, and whether it is respected and told.

use std::sync::Weak;

use app::ports::Item;
use domain::{InstanceId, Timestamp};

use super::{Hand, LISTS_LAG, Monitor, OPERATION_TAKES, UNKNOWN_FOR, text};
use crate::executor::{MINUTE, Moment, Sim};
use crate::rules::Rule;

impl Monitor {
    /// Somebody who starts a worker that was stopped by hand wants it to run, also where the product did not know yet
    /// that it was stopped, and there was no wish to change.
    pub(super) fn started_here(&self, operation: &Item, worker: &str) {
        let inner = |field: &str| operation.attributes.get(field).and_then(|value| value.get("kind")?.as_str());
        if inner("task") != Some("start_worker") || inner("requested_by") != Some("user") {
            return;
        }
        let requested_at = text(operation, "requested_at").parse::<Timestamp>().ok();
        let ended = matches!(text(operation, "status").as_str(), "succeeded" | "failed" | "expired");
        if let Some(known) = self.facts().workers.get_mut(worker) {
            if ended {
                known.starts.remove(&operation.pk);
            } else {
                known.starts.insert(operation.pk.clone());
            }
            known.by_hand =
                known.by_hand.filter(|(_, at)| requested_at.is_some_and(|asked| asked < Sim::timestamp(*at)));
        }
    }

    /// The product tells of something that came of nobody's wish.
    pub(super) fn drifted(&self, worker: &str, kind: &str) {
        let mistaken = {
            let mut facts = self.facts();
            let known = facts.workers.entry(worker.to_owned()).or_default();
            known.awaited = None;
            known.started_by_hand = kind == "started_by_hand";
            let settled = matches!(kind, "host_failure" | "instance_gone");
            known.host_failed &= !settled;
            known.host_failed && matches!(kind, "stopped_by_hand" | "terminated_by_hand" | "launch_fault")
        };
        if mistaken {
            self.violated(Rule::HostFailureTold, format!("the host of {worker} failed, which is told as {kind}"));
        }
    }

    /// The host of a worker fails, which ran for so long.
    pub(crate) fn host_failed(&self, worker: &str, ran_for: Moment) {
        if let Some(known) = self.facts().workers.get_mut(worker) {
            known.host_failed = known.desired == "running" && known.status == "running" && ran_for > LISTS_LAG;
        }
    }

    /// What somebody started by hand is stopped by us: not while a lab runs on it, as far as a reading could tell.
    pub(super) fn check_stop_of_what_was_started_by_hand(&self, worker: &str) {
        let Some(park) = self.park.get().and_then(Weak::upgrade) else { return };
        let known = self.facts().workers.get(worker).cloned().unwrap_or_default();
        let Some(instance) = known.instance.filter(|_| known.started_by_hand) else { return };
        let Ok(instance) = instance.parse::<InstanceId>() else { return };
        let now = self.sim.now();
        if let Some(at) = park.lab_runs_since(&instance).filter(|at| now - at > UNKNOWN_FOR) {
            let ago = (now - at) / MINUTE;
            self.violated(
                Rule::NoStopInUse,
                format!("{worker}, started by hand, is stopped; a lab runs for {ago} min"),
            );
        }
    }

    /// A person did something at EC2; none when what they did there is over.
    pub(crate) fn by_hand(&self, worker: &str, hand: Option<Hand>) {
        let now = self.sim.now();
        if let Some(known) = self.facts().workers.get_mut(worker) {
            // Only what goes against a wish that no operation is at any more.
            let settled = known.starts.is_empty() && known.user_wished.is_none_or(|at| now - at > OPERATION_TAKES);
            // What was asked for before is not awaited any more.
            known.awaited = None;
            known.host_failed = false;
            known.by_hand = hand.filter(|_| known.desired == "running" && settled).map(|hand| (hand, now));
        }
    }
}
