//! A node of a lab: what is set of it, and how it runs.

use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Version;
use super::definitions::{self, Definition};

/// From the order to start until the node is handed to a compute.
const QUEUED_FOR: SignedDuration = SignedDuration::from_secs(2);
/// From the order to start until the compute runs it.
const STARTS_IN: SignedDuration = SignedDuration::from_secs(5);
/// From the order to stop until the node has stopped.
const STOPS_IN: SignedDuration = SignedDuration::from_secs(5);

/// What a person may set of a node; the same keys in requests, answers and topologies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NodeSpec {
    pub(crate) label: String,
    pub(crate) node_definition: String,
    #[serde(default)]
    pub(crate) x: i64,
    #[serde(default)]
    pub(crate) y: i64,
    #[serde(default)]
    pub(crate) image_definition: Option<String>,
    /// Text, or a list of named files, or null.
    #[serde(default)]
    pub(crate) configuration: Value,
    #[serde(default)]
    pub(crate) ram: Option<u64>,
    #[serde(default)]
    pub(crate) cpus: Option<u32>,
    #[serde(default)]
    pub(crate) cpu_limit: Option<u32>,
    #[serde(default)]
    pub(crate) data_volume: Option<u64>,
    #[serde(default)]
    pub(crate) boot_disk_size: Option<u64>,
    #[serde(default)]
    pub(crate) hide_links: bool,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) parameters: serde_json::Map<String, Value>,
}

impl NodeSpec {
    /// The kind of node it is.
    pub(crate) fn definition(&self) -> &'static Definition {
        definitions::find_or_other(&self.node_definition)
    }

    /// Virtual CPUs it is promised.
    pub(crate) fn vcpus(&self) -> u32 {
        self.cpus.unwrap_or(self.definition().vcpus)
    }

    /// Memory it is promised, in MiB.
    pub(crate) fn memory_mib(&self) -> u64 {
        self.ram.unwrap_or(self.definition().memory_mib)
    }
}

/// How a node runs. What it shows at an instant follows from this and the instant alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum Power {
    /// Never started, or wiped since.
    Wiped,
    /// Stopped, with its disk.
    Off,
    /// Told to start.
    On {
        since: Timestamp,
        /// Its `boot_node` entry is in the telemetry.
        announced: bool,
    },
    /// Told to stop.
    Stopping { since: Timestamp, asked: Timestamp },
}

/// CML's node states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum NodeState {
    DefinedOnCore,
    Stopped,
    Queued,
    /// The compute makes it. Shown from 2.10 on.
    Starting,
    Started,
    Booted,
}

impl NodeState {
    /// It takes the host's resources.
    pub(crate) fn runs(self) -> bool {
        self >= Self::Queued
    }

    /// CML's word for how far the boot is.
    pub(crate) fn progress(self) -> &'static str {
        match self {
            Self::DefinedOnCore | Self::Stopped => "Not running",
            Self::Queued | Self::Starting | Self::Started => "Booting",
            Self::Booted => "Booted",
        }
    }

    /// As a controller of this version shows it.
    pub(crate) fn shown_by(self, version: Version) -> Self {
        if self == Self::Starting && version < Version::V2_10 { Self::Started } else { self }
    }

    /// What links and interfaces show beside it: they know no boot.
    pub(crate) fn of_wire(self) -> Self {
        if self.runs() { Self::Started } else { self }
    }
}

/// Seconds a running node has spent in each state.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) struct Times {
    queued: i64,
    started: i64,
    booted: i64,
}

/// An interface of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) label: String,
    /// Null for a loopback.
    pub(crate) slot: Option<u32>,
    /// `physical` or `loopback`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) spec: NodeSpec,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) power: Power,
}

impl Node {
    /// A node that never ran.
    pub(crate) fn new(id: String, spec: NodeSpec) -> Self {
        Self { id, spec, interfaces: Vec::new(), power: Power::Wiped }
    }

    /// What it shows at `now`.
    pub(crate) fn state(&self, now: Timestamp) -> NodeState {
        match self.power {
            Power::Wiped => NodeState::DefinedOnCore,
            Power::Off => NodeState::Stopped,
            Power::Stopping { asked, .. } if now.duration_since(asked) >= STOPS_IN => NodeState::Stopped,
            Power::On { since, .. } | Power::Stopping { since, .. } => {
                let ran = now.duration_since(since);
                if ran >= self.boots_in() {
                    NodeState::Booted
                } else if ran < QUEUED_FOR {
                    NodeState::Queued
                } else if ran < STARTS_IN {
                    NodeState::Starting
                } else {
                    NodeState::Started
                }
            }
        }
    }

    fn boots_in(&self) -> SignedDuration {
        self.spec.definition().boots_in()
    }

    /// It is where it was told to be.
    pub(crate) fn converged(&self, now: Timestamp) -> bool {
        match self.power {
            Power::Wiped | Power::Off => true,
            Power::On { .. } => self.state(now) == NodeState::Booted,
            Power::Stopping { .. } => self.state(now) == NodeState::Stopped,
        }
    }

    /// When it booted, if it runs and has.
    pub(crate) fn booted_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.power {
            Power::On { since, .. } if self.state(now) == NodeState::Booted => Some(since + self.boots_in()),
            _ => None,
        }
    }

    /// Seconds in each state since it was started; none when it does not run.
    pub(crate) fn times(&self, now: Timestamp) -> Option<Times> {
        let since = self.runs_since()?;
        let ran = now.duration_since(since).as_secs().max(0);
        let queued = ran.min(QUEUED_FOR.as_secs()).min(self.boots_in().as_secs());
        Some(Times { queued, started: ran - queued, booted: (ran - self.boots_in().as_secs()).max(0) })
    }

    /// Whether it was off and is now told to start.
    pub(crate) fn start(&mut self, now: Timestamp) -> bool {
        let starts = !self.state(now).runs();
        if starts {
            self.power = Power::On { since: now, announced: false };
        }
        starts
    }

    /// Whether it ran and is now told to stop.
    pub(crate) fn stop(&mut self, now: Timestamp) -> bool {
        let Power::On { since, .. } = self.power else { return false };
        self.power = Power::Stopping { since, asked: now };
        true
    }

    /// When the run it is in began.
    pub(crate) fn runs_since(&self) -> Option<Timestamp> {
        match self.power {
            Power::On { since, .. } | Power::Stopping { since, .. } => Some(since),
            Power::Wiped | Power::Off => None,
        }
    }

    /// Loses power at once, with its machine.
    pub(crate) fn cut(&mut self) {
        if matches!(self.power, Power::On { .. } | Power::Stopping { .. }) {
            self.power = Power::Off;
        }
    }

    /// The next interface, after those it has.
    pub(crate) fn add_interface(&mut self, id: String) -> Interface {
        let slot = self.interfaces.iter().filter_map(|i| i.slot).max().map_or(0, |last| last + 1);
        let label = (self.spec.definition().interface)(slot);
        let interface = Interface { id, label, slot: Some(slot), kind: "physical".into() };
        self.interfaces.push(interface.clone());
        interface
    }
}
