//! What can happen to a worker.

use std::collections::BTreeMap;

use super::Offer;
use super::{Departure, DesiredState, IdlePolicy, InstanceFacts, Wish, Worker, WorkerStatus};
use crate::actor::Actor;
use crate::decision::Action;
use crate::drift::DriftKind;
use crate::metrics::ServiceStatus;
use jiff::Timestamp;

/// One thing that happened, as past as it is permanent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// It was asked for.
    Created,
    /// It was found in EC2 and taken over.
    Imported(InstanceFacts),
    /// `RunInstances` is about to be called; recorded first, so that nothing launched is ever lost.
    LaunchIntended {
        /// The number in the call's `ClientToken`.
        number: u32,
        /// The image, resolved.
        ami_id: String,
        /// The type and where.
        offer: Offer,
    },
    /// EC2 had no capacity for that launch: nothing was launched, and the next one is another.
    LaunchRefused {
        /// Its number.
        number: u32,
        /// EC2's code and message.
        detail: String,
    },
    /// Another type or zone is taken, because the one wished for is not to be had.
    FallbackChosen {
        /// What is taken.
        offer: Offer,
        /// Why, for people.
        reason: String,
    },
    /// EC2 told which instance stands behind it.
    InstanceAttached(InstanceFacts),
    /// EC2 told something new of the instance: an address, a type.
    InstanceChanged(InstanceFacts),
    /// Its status changed.
    StatusChanged {
        /// Before.
        from: WorkerStatus,
        /// After.
        to: WorkerStatus,
        /// EC2's own words, if it had any.
        detail: Option<String>,
        /// Why, for people; null when the wish already says it.
        reason: Option<String>,
        /// Since when it runs, when it does.
        running_since: Option<Timestamp>,
    },
    /// Somebody, or a policy, wants something else.
    DesiredChanged {
        /// Before.
        from: DesiredState,
        /// After.
        to: DesiredState,
        /// Why, for people.
        reason: String,
    },
    /// An operation ended without what was wished for; the worker is as it was.
    WishUnfulfilled {
        /// Why, for people.
        reason: String,
    },
    /// EC2 shows something else than is wanted or known here.
    Drifted {
        /// What.
        kind: DriftKind,
        /// What it was, or should be.
        was: String,
        /// What it is.
        is: String,
    },
    /// What is wanted is not so, and something is done about it.
    Reconciled {
        /// What.
        action: Action,
        /// Why, for people.
        reason: String,
    },
    /// CML can be used, or no longer.
    ServiceChanged {
        /// Before.
        from: ServiceStatus,
        /// After.
        to: ServiceStatus,
    },
    /// EC2 did not list the instance.
    InstanceMissing,
    /// EC2 lists it again.
    InstanceSeenAgain,
    /// The controller's certificate was recorded at the first contact after a launch.
    CertificatePinned {
        /// SHA-256, hexadecimal.
        sha256: String,
    },
    /// An admin asked to record the next certificate anew.
    CertificateForgotten,
    /// It has another name.
    Renamed {
        /// The new name.
        name: String,
    },
    /// It belongs to somebody else.
    OwnerChanged {
        /// The new owner.
        owner: Option<String>,
    },
    /// Its tags are these now.
    TagsChanged {
        /// All of them.
        tags: BTreeMap<String, String>,
    },
    /// When it may be stopped for being idle changed.
    IdlePolicyChanged(IdlePolicy),
    /// Detailed monitoring is wanted, or no longer.
    MonitoringWished {
        /// The wish.
        enabled: bool,
    },
    /// An admin set where CML answers, or gave it back to EC2.
    EndpointSet {
        /// The address.
        cml_endpoint: Option<String>,
    },
    /// An admin set which credentials to use, or gave it back to the fleet's.
    CredentialsSet {
        /// The reference; never the secret.
        cml_credentials_ref: Option<String>,
    },
}

impl WorkerEvent {
    /// The event's type in the feed.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created => "worker.created",
            Self::Imported(_) => "worker.imported",
            Self::LaunchIntended { .. } => "worker.launch_intended",
            Self::LaunchRefused { .. } => "worker.launch_refused",
            Self::FallbackChosen { .. } => "worker.fallback_chosen",
            Self::InstanceAttached(_) => "worker.instance_attached",
            Self::InstanceChanged(_) => "worker.instance_changed",
            Self::StatusChanged { .. } => "worker.status_changed",
            Self::DesiredChanged { .. } => "worker.desired_changed",
            Self::WishUnfulfilled { .. } => "worker.wish_unfulfilled",
            Self::Drifted { .. } => "worker.drifted",
            Self::Reconciled { .. } => "worker.reconciled",
            Self::ServiceChanged { .. } => "worker.service_changed",
            Self::InstanceMissing => "worker.instance_missing",
            Self::InstanceSeenAgain => "worker.instance_seen_again",
            Self::CertificatePinned { .. } => "worker.certificate_pinned",
            Self::CertificateForgotten => "worker.certificate_forgotten",
            Self::Renamed { .. } => "worker.renamed",
            Self::OwnerChanged { .. } => "worker.owner_changed",
            Self::TagsChanged { .. } => "worker.tags_changed",
            Self::IdlePolicyChanged(_) => "worker.idle_policy_changed",
            Self::MonitoringWished { .. } => "worker.monitoring_changed",
            Self::EndpointSet { .. } => "worker.endpoint_set",
            Self::CredentialsSet { .. } => "worker.credentials_set",
        }
    }
}

/// A snapshot to be written with the events that made it, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The snapshot after the events; its version is the last event's number.
    pub worker: Worker,
    /// What happened, oldest first; the first has number `expected_version + 1`.
    pub events: Vec<WorkerEvent>,
    /// The version the snapshot had before; the write is refused when it has another by then.
    pub expected_version: u64,
    /// Who caused it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

impl Change {
    /// Applies `events` to `worker`. Null when nothing happened: there is nothing to write.
    #[must_use]
    pub fn of(worker: &Worker, events: Vec<WorkerEvent>, actor: Actor, at: Timestamp) -> Option<Self> {
        if events.is_empty() {
            return None;
        }
        let mut after = worker.clone();
        for event in &events {
            after.apply(event, at);
        }
        Some(Self { worker: after, events, expected_version: worker.version, actor, at })
    }
}

impl Worker {
    /// The only place where a snapshot changes.
    pub fn apply(&mut self, event: &WorkerEvent, at: Timestamp) {
        self.version += 1;
        self.updated_at = at;
        match event {
            WorkerEvent::Created => self.wish = Wish::new(self.version, at),
            WorkerEvent::Imported(facts) | WorkerEvent::InstanceAttached(facts) => {
                if matches!(event, WorkerEvent::Imported(_)) {
                    self.wish = Wish::new(self.version, at);
                }
                self.instance = Some(facts.clone());
                self.missing_since = None;
            }
            WorkerEvent::InstanceChanged(facts) => self.instance = Some(facts.clone()),
            WorkerEvent::LaunchIntended { number, ami_id, offer } => self.begin_launch(*number, ami_id, offer),
            WorkerEvent::LaunchRefused { .. } => {
                self.launch_refused = true;
                self.missing_since = None;
            }
            WorkerEvent::FallbackChosen { offer, reason } => {
                self.launch_offer = Some(offer.clone());
                self.tell(reason);
            }
            WorkerEvent::StatusChanged { to, detail, reason, running_since, .. } => {
                self.change_status(*to, at);
                self.status_detail.clone_from(detail);
                self.running_since = *running_since;
                reason.iter().for_each(|reason| self.tell(reason));
            }
            WorkerEvent::DesiredChanged { from, to, reason } => {
                self.change_wish(*from, *to, at);
                self.tell(reason);
            }
            WorkerEvent::Drifted { kind, .. } => {
                if kind.is_of_power() {
                    self.departure = Some(Departure { kind: *kind, at });
                }
            }
            WorkerEvent::Reconciled { reason, .. } => self.tell(reason),
            WorkerEvent::WishUnfulfilled { reason } => {
                self.tell(reason);
                self.wish.unfulfilled = true;
            }
            WorkerEvent::ServiceChanged { to, .. } => self.service = *to,
            WorkerEvent::InstanceMissing => self.missing_since = Some(at),
            WorkerEvent::InstanceSeenAgain => self.missing_since = None,
            WorkerEvent::CertificatePinned { sha256 } => self.certificate_sha256 = Some(sha256.clone()),
            WorkerEvent::CertificateForgotten => self.certificate_sha256 = None,
            WorkerEvent::Renamed { name } => self.name.clone_from(name),
            WorkerEvent::OwnerChanged { owner } => self.owner.clone_from(owner),
            WorkerEvent::TagsChanged { tags } => self.tags.clone_from(tags),
            WorkerEvent::IdlePolicyChanged(policy) => self.idle_policy = *policy,
            WorkerEvent::MonitoringWished { enabled } => self.spec.detailed_monitoring = *enabled,
            WorkerEvent::EndpointSet { cml_endpoint } => {
                self.cml_endpoint.clone_from(cml_endpoint);
                self.certificate_sha256 = None;
            }
            WorkerEvent::CredentialsSet { cml_credentials_ref } => {
                self.cml_credentials_ref.clone_from(cml_credentials_ref);
            }
        }
    }
}

impl Worker {
    /// Why it is as it is: what was told before holds no more.
    fn tell(&mut self, reason: &str) {
        self.wish.unfulfilled = false;
        reason.clone_into(&mut self.state_reason);
    }

    fn begin_launch(&mut self, number: u32, ami_id: &str, offer: &Offer) {
        self.launch_number = number;
        self.launch_ami_id = Some(ami_id.to_owned());
        self.launch_offer = Some(offer.clone());
        self.launch_refused = false;
        if let Some(former) = self.instance.take() {
            self.former_instance = Some(former.id);
        }
        self.missing_since = None;
        self.departure = None;
        // A new machine has a new certificate: the next contact is a first contact.
        self.certificate_sha256 = None;
    }

    fn change_wish(&mut self, from: DesiredState, to: DesiredState, at: Timestamp) {
        let overtook = (from != to && !self.is_as_wished_for(from)).then_some(from);
        self.wish = Wish { overtook, ..Wish::new(self.version, at) };
        self.desired = to;
        self.departure = None;
    }

    fn change_status(&mut self, to: WorkerStatus, at: Timestamp) {
        if self.status != to {
            self.status_since = at;
        }
        if self.status.may_run() && !to.may_run() {
            self.ran_until = Some(at);
        }
        self.status = to;
        if self.is_as_wished() {
            self.departure = None;
            self.wish.overtook = None;
            self.wish.unfulfilled = false;
        }
    }
}

#[cfg(test)]
mod tests;
