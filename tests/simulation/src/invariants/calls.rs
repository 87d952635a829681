//! What must hold at each call to EC2 and to a controller.

use super::{HAND_HOLDS, Hand, Monitor, ON_ITS_WAY, live_machines};
use crate::cloud::{Cloud, Host};
use crate::executor::{MINUTE, Moment};
use crate::rules::Rule;
use app::ports::CmlTarget;
use domain::InstanceId;

impl Monitor {
    /// A machine was launched.
    pub(crate) fn launched(&self, cloud: &Cloud, id: &InstanceId) {
        let Some(worker) = cloud.machine(id, |machine| machine.worker().cloned()).flatten() else { return };
        let live = live_machines(cloud, &worker);
        if live.len() > 1 {
            self.violated(Rule::OneInstance, format!("{worker} has {live:?}"));
        }
        self.check_wish(&worker, "launched", true);
    }

    /// A machine is started by the product.
    pub(crate) fn started(&self, cloud: &Cloud, id: &InstanceId) {
        if let Some(worker) = cloud.machine(id, |machine| machine.worker().cloned()).flatten() {
            self.check_wish(&worker, "started", true);
        }
    }

    /// A machine is stopped by the product.
    pub(crate) fn stopped(&self, cloud: &Cloud, id: &InstanceId) {
        if let Some(worker) = cloud.machine(id, |machine| machine.worker().cloned()).flatten() {
            self.check_wish(&worker, "stopped", false);
        }
    }

    /// A machine is terminated by the product: that cannot be wished back, so the wish must stand.
    pub(crate) fn terminated(&self, cloud: &Cloud, id: &InstanceId) {
        let Some(worker) = cloud.machine(id, |machine| machine.worker().cloned()).flatten() else { return };
        let known = self.facts().workers.get(&worker).cloned().unwrap_or_default();
        if known.desired != "terminated" && known.status != "terminated" {
            let detail = format!("{id} of {worker} is terminated, which is wanted {}", known.desired);
            self.violated(Rule::OnlyAsWished, detail);
        }
    }

    fn check_wish(&self, worker: &str, done: &'static str, wants_running: bool) {
        let now = self.sim.now();
        let known = self.facts().workers.get(worker).cloned().unwrap_or_default();
        let (as_wished, last) = if wants_running {
            (known.desired == "running", known.wished_running)
        } else {
            (known.desired != "running", known.wished_otherwise)
        };
        if !as_wished && now - last > ON_ITS_WAY {
            self.violated(Rule::OnlyAsWished, format!("{worker} is {done}, which is wanted {}", known.desired));
        }
        let holds = |(hand, at): &(Hand, Moment)| *hand == Hand::Terminated || now - at < HAND_HOLDS;
        if known.host_failed && wants_running {
            self.violated(Rule::HostFailureTold, format!("{worker} is {done} after its host failed; nobody was told"));
        }
        if let Some((hand, at)) = known.by_hand.filter(|by_hand| wants_running && holds(by_hand)) {
            let ago = (now - at) / MINUTE;
            self.violated(Rule::HandRespected, format!("{worker} is {done} {ago} min after a person {hand:?} it"));
        }
    }

    /// When a person last wished something of a worker.
    pub(crate) fn user_wished(&self, worker: &str) -> Option<Moment> {
        self.facts().workers.get(worker)?.user_wished
    }

    /// Credentials are on their way to a host.
    pub(crate) fn credentials(&self, cloud: &Cloud, target: &CmlTarget, host: &Host) {
        let whose = match host {
            Host::Machine(id) => cloud.machine(id, |machine| machine.worker().cloned()).flatten(),
            Host::Stranger => None,
        };
        if whose.as_deref() != Some(&target.worker.to_string()) {
            let detail = format!("credentials of {} go to {} of {host:?}", target.worker, target.endpoint);
            self.violated(Rule::CredentialsAtHome, detail);
        }
    }
}
