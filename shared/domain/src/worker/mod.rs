//! A worker: its snapshot, what can happen to it, and what may be asked of it.
//!
//! Every change is an event. A command is judged by [`command`] against the snapshot and gives
//! events, or a refusal; an observation is turned into events by [`observe`] and can refuse
//! nothing. [`Worker::apply`] is the only place where a snapshot changes.

mod address;
pub mod command;
mod event;
pub mod observe;
mod offer;
pub mod spec;
mod standing;
mod status;

pub use address::CmlAddress;
pub use command::{Command, Refusal};
pub use event::{Change, WorkerEvent};
pub use offer::Offer;
pub use spec::{IdlePolicy, ImageChoice, LaunchSpec};
pub use standing::{Departure, Wish};
pub use status::{DesiredState, WorkerStatus};

use std::collections::BTreeMap;

use crate::id::{InstanceId, Place, WorkerId};
use crate::instance::{InstanceObservation, Lifecycle, MANAGED, MANAGED_TAG, NAME_TAG, WORKER_TAG};
use crate::metrics::ServiceStatus;
use jiff::Timestamp;

/// What is known of the EC2 instance behind a worker, from EC2 itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceFacts {
    /// The instance.
    pub id: InstanceId,
    /// Its type, which a person may have changed.
    pub instance_type: String,
    /// The image it was launched from.
    pub ami_id: String,
    /// The Availability Zone a stopped instance is bound to.
    pub availability_zone: Option<String>,
    /// The public address, while it runs; another one after each start.
    pub public_ip: Option<String>,
    /// The private address.
    pub private_ip: Option<String>,
    /// How it is paid for.
    pub lifecycle: Lifecycle,
    /// Whether detailed monitoring is on.
    pub detailed_monitoring: bool,
}

impl From<&InstanceObservation> for InstanceFacts {
    fn from(seen: &InstanceObservation) -> Self {
        Self {
            id: seen.id.clone(),
            instance_type: seen.instance_type.clone(),
            ami_id: seen.ami_id.clone(),
            availability_zone: seen.availability_zone.clone(),
            public_ip: seen.public_ip.clone(),
            private_ip: seen.private_ip.clone(),
            lifecycle: seen.lifecycle,
            detailed_monitoring: seen.detailed_monitoring,
        }
    }
}

/// The snapshot of a worker. `version` counts its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its id, for good.
    pub id: WorkerId,
    /// How many events made this snapshot; the optimistic lock and the `ETag`.
    pub version: u64,
    /// The name people use; not unique.
    pub name: String,
    /// Account and region.
    pub place: Place,
    /// What to launch.
    pub spec: LaunchSpec,
    /// Whether it was found rather than made.
    pub imported: bool,
    /// The number of the launch under way or last made; part of EC2's `ClientToken`.
    pub launch_number: u32,
    /// The image of that launch, resolved once: a repeated call must have the same parameters.
    pub launch_ami_id: Option<String>,
    /// Type and subnet of that launch, and the type it was given since where its own was not to be had; null when
    /// it is what the spec says.
    pub launch_offer: Option<Offer>,
    /// The instance before that launch: EC2's lists, which lag, may show it still, also as alive.
    pub former_instance: Option<InstanceId>,
    /// EC2 refused that launch for want of capacity: there is nothing of it, and the next has another number.
    pub launch_refused: bool,
    /// The instance behind it.
    pub instance: Option<InstanceFacts>,
    /// What it does.
    pub status: WorkerStatus,
    /// More about the status: EC2's own words, or what it waits for.
    pub status_detail: Option<String>,
    /// Since when.
    pub status_since: Timestamp,
    /// What is wanted.
    pub desired: DesiredState,
    /// Which wish that is, and since when.
    pub wish: Wish,
    /// What EC2 did that nobody wished for here, and that no wish has answered since.
    pub departure: Option<Departure>,
    /// Why it is up, or why it is not, in words.
    pub state_reason: String,
    /// Whether CML can be used.
    pub service: ServiceStatus,
    /// Since when the instance runs, by EC2's clock.
    pub running_since: Option<Timestamp>,
    /// When its machine was last seen to run no more; null for one that never did, or has not stopped since it is known.
    pub ran_until: Option<Timestamp>,
    /// When EC2 first failed to list it; the second time it counts as gone.
    pub missing_since: Option<Timestamp>,
    /// An address set by an admin, in place of the one EC2 tells.
    pub cml_endpoint: Option<String>,
    /// Which stored credentials to use, in place of the fleet's.
    pub cml_credentials_ref: Option<String>,
    /// SHA-256 of the controller's certificate, hexadecimal; recorded at the first contact.
    pub certificate_sha256: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// The tags we keep equal in EC2.
    pub tags: BTreeMap<String, String>,
    /// When it may be stopped for being idle.
    pub idle_policy: IdlePolicy,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Worker {
    /// A worker before its first event, with nothing behind it yet.
    #[must_use]
    pub fn draft(id: WorkerId, name: String, place: Place, spec: LaunchSpec, now: Timestamp) -> Self {
        Self {
            id,
            version: 0,
            name,
            place,
            spec,
            imported: false,
            launch_number: 0,
            launch_ami_id: None,
            launch_offer: None,
            former_instance: None,
            launch_refused: false,
            instance: None,
            status: WorkerStatus::Pending,
            status_detail: None,
            status_since: now,
            desired: DesiredState::Running,
            wish: Wish::new(0, now),
            departure: None,
            state_reason: String::new(),
            service: ServiceStatus::Unavailable,
            running_since: None,
            ran_until: None,
            missing_since: None,
            cml_endpoint: None,
            cml_credentials_ref: None,
            certificate_sha256: None,
            owner: None,
            tags: BTreeMap::new(),
            idle_policy: IdlePolicy::default(),
            created_at: now,
            updated_at: now,
        }
    }

    /// EC2's `ClientToken` for the launch under way.
    ///
    /// Deterministic, so that a repeated call starts nothing new. EC2 keeps a token bound even to a
    /// terminated instance, so the number rises after each definite failure.
    /// Source: EC2 API reference, "Ensuring idempotency in Amazon EC2 API requests" (64 ASCII characters).
    #[must_use]
    pub fn client_token(&self) -> String {
        format!("{}-{}", self.id, self.launch_number)
    }

    /// A launch was intended, and nobody knows yet what came of it.
    #[must_use]
    pub fn has_open_launch(&self) -> bool {
        self.launch_number > 0
            && self.instance.is_none()
            && !self.launch_refused
            && !matches!(self.status, WorkerStatus::Failed | WorkerStatus::Terminated)
    }

    /// An instance stands behind it; that of a failed worker is lost, and so is that of a terminated one.
    #[must_use]
    pub fn has_instance(&self) -> bool {
        self.instance.is_some() && !matches!(self.status, WorkerStatus::Failed | WorkerStatus::Terminated)
    }

    /// Its instance is on its way up.
    #[must_use]
    pub fn is_booting(&self) -> bool {
        matches!(self.status, WorkerStatus::Provisioning | WorkerStatus::Starting)
    }

    /// The type it was last given here: another one of its instance was chosen by hand.
    #[must_use]
    pub fn given_type(&self) -> &str {
        self.launch_offer.as_ref().map_or(&self.spec.instance_type, |offer| &offer.instance_type)
    }

    /// Nothing was ever launched for it, nor taken over: EC2 has nothing to be asked about.
    #[must_use]
    pub fn never_had_instance(&self) -> bool {
        self.launch_number == 0 && self.instance.is_none()
    }

    /// All tags of its instance: its own, its name, and the two that make it ours.
    #[must_use]
    pub fn ec2_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.insert(NAME_TAG.into(), self.name.clone());
        tags.insert(WORKER_TAG.into(), self.id.to_string());
        tags.insert(MANAGED_TAG.into(), MANAGED.into());
        tags
    }

    /// Where CML answers: what an admin set, or the address of that kind that EC2 last told while it ran.
    #[must_use]
    pub fn endpoint(&self, addresses: CmlAddress) -> Option<String> {
        if let Some(set) = &self.cml_endpoint {
            return Some(set.clone());
        }
        if self.status != WorkerStatus::Running {
            return None;
        }
        let instance = self.instance.as_ref()?;
        let address = match addresses {
            CmlAddress::Public => instance.public_ip.as_ref(),
            CmlAddress::Private => instance.private_ip.as_ref(),
            CmlAddress::Named => None,
        };
        Some(format!("https://{}", address?))
    }

    /// It is gone, and wanted gone: there is nothing left to manage. One that is gone against the wish waits for
    /// somebody to say what is wanted now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status.is_final() && self.desired == DesiredState::Terminated
    }

    /// It is gone against the wish, and somebody has wished for it since.
    #[must_use]
    pub fn is_wanted_back(&self) -> bool {
        self.status.is_final() && self.desired == DesiredState::Running && self.departure.is_none()
    }

    /// Whether it has, or may soon have, an instance that costs money.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.status.is_final()
    }
}
