//! What EC2 says of an instance.

use crate::id::InstanceId;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The tag that ties an instance to its worker; renaming a worker does not touch it.
pub const WORKER_TAG: &str = "ccm:worker-id";
/// The tag that says an instance is ours to change, where its value is [`MANAGED`].
pub const MANAGED_TAG: &str = "ccm:managed";
/// The value of [`MANAGED_TAG`] that permissions ask for.
pub const MANAGED: &str = "true";
/// The tag that EC2's console shows as the name.
pub const NAME_TAG: &str = "Name";

/// EC2's instance states.
/// Source: EC2 API reference, `InstanceState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceState {
    /// Being prepared, after a launch or a start.
    Pending,
    /// Running, and billed.
    Running,
    /// Being terminated.
    ShuttingDown,
    /// Gone for good.
    Terminated,
    /// Being stopped.
    Stopping,
    /// Stopped; only its volumes are billed.
    Stopped,
    /// A word this version does not know. Never an error, and never a reason to act.
    Unknown,
}

impl InstanceState {
    /// Every state, for tests and tables.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::ShuttingDown,
        Self::Terminated,
        Self::Stopping,
        Self::Stopped,
        Self::Unknown,
    ];

    /// Reads EC2's word; anything new is `Unknown`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.name() == name).unwrap_or(Self::Unknown)
    }

    /// EC2's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }
}

/// How an instance is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifecycle {
    /// By the second, at the listed price.
    #[default]
    OnDemand,
    /// Spare capacity, taken back at two minutes' notice.
    Spot,
}

/// One instance as `DescribeInstances` returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceObservation {
    /// The instance.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// Why it is in that state, EC2's code: `Client.UserInitiatedShutdown`, `Server.InternalError`.
    pub state_reason_code: Option<String>,
    /// The same in EC2's words.
    pub state_reason_message: Option<String>,
    /// The type, such as `m5zn.metal`.
    pub instance_type: String,
    /// The image it was launched from.
    pub ami_id: String,
    /// The Availability Zone.
    pub availability_zone: Option<String>,
    /// The public address, while it runs.
    pub public_ip: Option<String>,
    /// The private address.
    pub private_ip: Option<String>,
    /// How it is paid for.
    pub lifecycle: Lifecycle,
    /// When it was last launched or started.
    pub launched_at: Option<Timestamp>,
    /// Whether detailed monitoring is on.
    pub detailed_monitoring: bool,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_from_its_name_and_a_new_word_is_unknown() {
        for state in InstanceState::ALL {
            assert_eq!(InstanceState::from_name(state.name()), state);
        }
        assert_eq!(InstanceState::from_name("hibernating"), InstanceState::Unknown);
        assert_eq!(InstanceState::from_name("Running"), InstanceState::Unknown);
    }
}
