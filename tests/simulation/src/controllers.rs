//! CML controllers as they are: what runs on each machine, who used it when, and what it says when asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::{CmlError, CmlErrorKind, CmlNotice, CmlTarget};
use domain::InstanceId;
use domain::activity::TelemetryEvent;

use crate::cloud::{Cloud, Host};
use crate::executor::{HOUR, MINUTE, Moment, SECOND, Sim};
use crate::faults::Fault;
use crate::labs::SimLab;
use crate::sabotage::Sabotage;

/// The CML user that the product reads with.
pub(crate) const POLLER: &str = "the-poller";
/// Who everything belongs to that people do in CML.
pub(crate) const PERSON: &str = "alice";

/// A machine's controller.
#[derive(Default)]
pub(crate) struct Controller {
    pub(crate) labs: BTreeMap<String, SimLab>,
    /// Counts those that were made.
    pub(crate) labs_made: u32,
    pub(crate) lab_deleted_at: Moment,
    /// When it took a seat of a licence, while it has one.
    pub(crate) registered_at: Option<Moment>,
    pub(crate) telemetry: Vec<TelemetryEvent>,
    pub(crate) notices: Vec<CmlNotice>,
    /// When it was used, by people or by what runs on it.
    pub(crate) uses: Vec<Moment>,
    /// How long it takes to come up after its machine.
    comes_up_in: Moment,
    /// The hour for which its luck was drawn, and until when it does not answer.
    luck: (Moment, Moment),
}

impl Controller {
    /// Labs that run, given since when the machine does.
    pub(crate) fn running(&self, since: Moment) -> impl Iterator<Item = &SimLab> {
        self.labs.values().filter(move |lab| lab.runs(since))
    }
}

/// The controllers.
pub(crate) struct ControllerPark {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) sim: Arc<Sim>,
    controllers: Mutex<BTreeMap<InstanceId, Controller>>,
}

/// How long a machine's web server takes to answer for a controller that does not yet.
const WEB_SERVER_UP_AFTER: Moment = 30 * SECOND;

impl ControllerPark {
    pub(crate) fn new(cloud: &Arc<Cloud>) -> Arc<Self> {
        Arc::new(Self { cloud: cloud.clone(), sim: cloud.sim.clone(), controllers: Mutex::default() })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Controller>> {
        self.controllers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes a controller.
    pub(crate) fn with<T>(&self, id: &InstanceId, change: impl FnOnce(&mut Controller) -> T) -> T {
        let comes_up_in = self.sim.pick(MINUTE, 5 * MINUTE);
        change(self.all().entry(id.clone()).or_insert_with(|| Controller { comes_up_in, ..Controller::default() }))
    }

    /// Since when its machine runs, while it does.
    pub(crate) fn running_since(&self, id: &InstanceId) -> Option<Moment> {
        self.cloud.machine(id, |machine| machine.running_since).flatten()
    }

    /// Whether the controller has come up.
    pub(crate) fn is_up(&self, id: &InstanceId) -> bool {
        let Some(since) = self.running_since(id) else { return false };
        self.sim.now() >= since + self.with(id, |one| one.comes_up_in)
    }

    /// Whether people can work on it.
    pub(crate) fn is_usable(&self, id: &InstanceId) -> bool {
        self.is_up(id) && !self.is_down(id)
    }

    /// A person does something.
    pub(crate) fn person_does(&self, id: &InstanceId, category: &str) {
        let now = self.sim.now();
        let event = TelemetryEvent { category: category.into(), at: Sim::timestamp(now), user_id: Some(PERSON.into()) };
        self.with(id, |one| {
            one.telemetry.push(event);
            one.uses.push(now);
        });
    }

    /// Notes every minute what runs, as use; but for what somebody has asked to be stopped, which runs on only until
    /// that can be done.
    pub(crate) fn note_uses(&self) {
        let now = self.sim.now();
        let running = self.cloud.each(|machine| {
            let worker = machine.worker().cloned().unwrap_or_default();
            Some((machine.shown.id.clone(), worker, machine.running_since?))
        });
        let mut all = self.all();
        for (id, worker, since) in running {
            let Some(one) = all.get_mut(&id) else { continue };
            let used = |(lab, one): (&String, &SimLab)| one.runs(since) && !self.cloud.watch.is_to_stop(&worker, lab);
            if one.labs.iter().any(used) {
                one.uses.push(now);
            }
        }
    }

    /// Since when a lab runs on it, the longest of them.
    pub(crate) fn lab_runs_since(&self, id: &InstanceId) -> Option<Moment> {
        let since = self.running_since(id)?;
        self.with(id, |one| one.running(since).filter_map(|lab| lab.started_at).min())
    }

    /// When it was used between two moments, if it was.
    pub(crate) fn used_between(&self, id: &InstanceId, from: Moment, to: Moment) -> Option<Moment> {
        self.with(id, |one| one.uses.iter().rev().find(|at| (from..to).contains(*at)).copied())
    }

    /// Reaches the controller at an address, with credentials or without.
    pub(crate) async fn reach(
        &self,
        operation: &'static str,
        target: &CmlTarget,
        with_credentials: bool,
    ) -> Result<InstanceId, CmlError> {
        let failed = |kind, status| CmlError { operation, status, kind, message: format!("{kind:?}, simulated") };
        self.sim.call().await;
        let weather = &self.cloud.weather;
        if weather.strikes(Fault::CmlSlow) {
            // Longer than any caller waits, or nearly.
            let time = self.sim.pick(3 * SECOND, 20 * SECOND);
            self.sim.pause(time).await;
            if time > 10 * SECOND {
                return Err(failed(CmlErrorKind::Unreachable, None));
            }
        }
        if weather.strikes(Fault::CmlBadGateway) {
            return Err(failed(CmlErrorKind::NotReady, Some(502)));
        }
        let address = target.endpoint.strip_prefix("https://").unwrap_or_default();
        let host = self.cloud.host(address).ok_or_else(|| failed(CmlErrorKind::Unreachable, None))?;
        if let Host::Machine(id) = &host {
            let since = self.running_since(id).ok_or_else(|| failed(CmlErrorKind::Unreachable, None))?;
            if self.is_down(id) || self.sim.now() < since + WEB_SERVER_UP_AFTER {
                return Err(failed(CmlErrorKind::Unreachable, None));
            }
            if !self.is_up(id) {
                return Err(failed(CmlErrorKind::NotReady, Some(502)));
            }
        }
        let compared = self.cloud.sabotage != Sabotage::CertificatesUnread;
        if compared && target.certificate_sha256.as_deref().is_some_and(|pinned| pinned != certificate(&host)) {
            return Err(failed(CmlErrorKind::CertificateChanged, None));
        }
        if with_credentials {
            if target.certificate_sha256.is_none() {
                // As the product's own client: no certificate recorded, no credentials sent.
                return Err(failed(CmlErrorKind::CertificateChanged, None));
            }
            self.cloud.monitor.credentials(&self.cloud, target, &host);
        }
        match host {
            Host::Machine(id) => Ok(id),
            // A stranger's controller is up, and refuses us.
            Host::Stranger if with_credentials => Err(failed(CmlErrorKind::Denied, Some(401))),
            Host::Stranger => Err(failed(CmlErrorKind::Malformed, None)),
        }
    }

    /// Its luck is drawn once an hour.
    pub(crate) fn is_down(&self, id: &InstanceId) -> bool {
        let now = self.sim.now();
        let drawn = self.with(id, |one| one.luck);
        if drawn.0 != now / HOUR {
            let weather = &self.cloud.weather;
            let until = if weather.strikes(Fault::CmlDown) { now + weather.trouble_time() } else { drawn.1 };
            self.with(id, |one| one.luck = (now / HOUR, until.min(weather.until().max(now))));
        }
        now < self.with(id, |one| one.luck.1)
    }

    /// The way back from a call that changed something: its answer may be lost.
    pub(crate) async fn answer(&self, operation: &'static str) -> Result<(), CmlError> {
        let lost = self.cloud.weather.strikes(Fault::CmlAnswerLost);
        self.sim.call().await;
        let message = "the answer was lost".into();
        let error = CmlError { operation, status: None, kind: CmlErrorKind::Unreachable, message };
        if lost { Err(error) } else { Ok(()) }
    }

    /// Whether it lies this time.
    pub(crate) fn lies(&self) -> bool {
        self.cloud.weather.strikes(Fault::CmlLies)
    }
}

/// The certificate that a host shows.
pub(crate) fn certificate(host: &Host) -> String {
    match host {
        Host::Machine(id) => format!("certificate of {id}"),
        Host::Stranger => "certificate of a stranger".into(),
    }
}
