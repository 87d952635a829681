//! A worker: its snapshot, what can happen to it, and what may be asked of it.
//!
//! Every change is an event. A command is judged by [`command`] against the snapshot and gives
//! events, or a refusal; an observation is turned into events by [`observe`] and can refuse
//! nothing. [`Worker::apply`] is the only place where a snapshot changes.

mod address;
pub mod command;
mod event;
pub mod observe;
pub mod spec;
mod status;

pub use address::CmlAddress;
pub use command::{Command, Refusal};
pub use event::{Change, WorkerEvent};
pub use spec::{IdlePolicy, ImageChoice, LaunchSpec};
pub use status::{DesiredState, WorkerStatus};

use std::collections::BTreeMap;

use crate::id::{InstanceId, Place, WorkerId};
use crate::instance::{InstanceObservation, Lifecycle};
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
    /// The instance behind it.
    pub instance: Option<InstanceFacts>,
    /// What it does.
    pub status: WorkerStatus,
    /// More about the status: EC2's own words, or what it waits for.
    pub status_detail: Option<String>,
    /// What is wanted.
    pub desired: DesiredState,
    /// Why it is up, or why it is not, in words.
    pub state_reason: String,
    /// Whether CML can be used.
    pub service: ServiceStatus,
    /// Since when the instance runs, by EC2's clock.
    pub running_since: Option<Timestamp>,
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
        self.launch_number > 0 && self.instance.is_none() && self.status != WorkerStatus::Failed
    }

    /// Its instance is on its way up.
    #[must_use]
    pub fn is_booting(&self) -> bool {
        matches!(self.status, WorkerStatus::Provisioning | WorkerStatus::Starting)
    }

    /// Nothing was ever launched for it, nor taken over: EC2 has nothing to be asked about.
    #[must_use]
    pub fn never_had_instance(&self) -> bool {
        self.launch_number == 0 && self.instance.is_none()
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

    /// Whether it has, or may soon have, an instance that costs money.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.status.is_final()
    }
}
