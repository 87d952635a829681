//! Labs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::Timestamp;

use super::{CmlAccess, CmlError, CmlState, CmlTopology};

/// A lab, without its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmlLab {
    /// CML's id of it.
    pub id: String,
    /// Its title, 1 to 64 characters.
    pub title: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its notes, in Markdown.
    pub notes: Option<String>,
    /// Whether it runs.
    pub state: Option<CmlState>,
    /// The id of the CML user who owns it.
    pub owner_id: Option<String>,
    /// That user's name.
    pub owner_username: Option<String>,
    /// That user's full name.
    pub owner_fullname: Option<String>,
    /// How many nodes it has.
    pub node_count: Option<u32>,
    /// How many links it has.
    pub link_count: Option<u32>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub modified_at: Option<Timestamp>,
    /// What we may do with it: `lab_view`, `lab_exec`, `lab_edit`, `lab_admin`.
    pub permissions: Vec<String>,
    /// Whether it starts with its controller (from 2.10 on).
    pub autostart: Option<Autostart>,
    /// Whether its nodes start in stages (from 2.10 on).
    pub node_staging: Option<NodeStaging>,
}

/// Whether a lab starts with its controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autostart {
    /// It does.
    pub enabled: Option<bool>,
    /// In what order, 0 to 10,000.
    pub priority: Option<u32>,
    /// After how many seconds, up to a day.
    pub delay_secs: Option<u32>,
}

/// Whether a lab's nodes start in stages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStaging {
    /// They do.
    pub enabled: Option<bool>,
    /// Nodes without a stage start last.
    pub start_remaining: Option<bool>,
    /// A stage that fails ends the start.
    pub abort_on_failure: Option<bool>,
}

/// The labs of all owners, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabListing {
    /// What was read.
    pub labs: Vec<CmlLab>,
    /// Labs that exist and could not be read, with the reason: not gone, only unknown.
    pub unread: Vec<(String, CmlError)>,
}

/// What is said of a new lab, or changed of one: null leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabChange<'a> {
    /// Its title, 1 to 64 characters.
    pub title: Option<&'a str>,
    /// Its description, at most 4,096 characters.
    pub description: Option<&'a str>,
    /// Its notes, at most 32,768 characters.
    pub notes: Option<&'a str>,
}

/// A lab just imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedLab {
    /// CML's id of it.
    pub id: String,
    /// What CML left out or changed, in its words.
    pub warnings: Vec<String>,
}

/// The states of everything in a lab, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElementStates {
    /// Of its nodes.
    pub nodes: BTreeMap<String, CmlState>,
    /// Of its links.
    pub links: BTreeMap<String, CmlState>,
    /// Of its interfaces.
    pub interfaces: BTreeMap<String, CmlState>,
}

/// Something that happened to a lab or to a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabEvent {
    /// `ADD`, `REMOVE`, `CHANGE` or `STATE_CHANGED`.
    pub event: Option<String>,
    /// `lab`, `node`, `link`, `interface`, ...
    pub element_type: Option<String>,
    /// To which.
    pub element_id: Option<String>,
    /// The state it came to, when it is about that.
    pub state: Option<CmlState>,
    /// When.
    pub at: Option<Timestamp>,
}

/// What a running lab uses, by node and by link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimulationStatistics {
    /// By node.
    pub nodes: Vec<NodeStatistics>,
    /// By link.
    pub links: Vec<LinkStatistics>,
}

/// What a node uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeStatistics {
    /// Which node.
    pub node_id: String,
    /// CPU in percent of one.
    pub cpu_percent: Option<f64>,
    /// Bytes read from its first disk since its start.
    pub disk_read_bytes: Option<f64>,
    /// Bytes written to it.
    pub disk_written_bytes: Option<f64>,
    /// Seconds since it came into each state, by CML's name of the state.
    pub seconds_in_state: BTreeMap<String, f64>,
}

/// What a link carried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkStatistics {
    /// Which link.
    pub link_id: String,
    /// Bytes one way.
    pub read_bytes: Option<f64>,
    /// Packets that way.
    pub read_packets: Option<f64>,
    /// Bytes the other way.
    pub written_bytes: Option<f64>,
    /// Packets that way.
    pub written_packets: Option<f64>,
    /// Packets dropped.
    pub drops: Option<f64>,
}

/// A controller's labs. What changes a lab is accepted at once and done later: it is done when
/// [`lab_converged`](Self::lab_converged) says so.
#[async_trait]
pub trait CmlLabs: Send + Sync {
    /// The ids of the labs of all owners.
    async fn lab_ids(&self, access: CmlAccess<'_>) -> Result<Vec<String>, CmlError>;

    /// The labs of all owners, by as few calls as the controller allows.
    ///
    /// # Errors
    /// When the controller cannot be asked; a single lab that cannot be read is in `unread`.
    async fn labs(&self, access: CmlAccess<'_>) -> Result<LabListing, CmlError>;

    /// One lab.
    async fn lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlLab, CmlError>;

    /// Makes an empty lab.
    async fn create_lab(&self, access: CmlAccess<'_>, lab: LabChange<'_>) -> Result<CmlLab, CmlError>;

    /// Changes what is said of it.
    async fn update_lab(&self, access: CmlAccess<'_>, lab_id: &str, change: LabChange<'_>) -> Result<(), CmlError>;

    /// Deletes it; it must be stopped and wiped.
    async fn delete_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError>;

    /// Starts all its nodes.
    async fn start_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError>;

    /// Stops all its nodes.
    async fn stop_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError>;

    /// Wipes the disks of all its nodes; it must be stopped.
    async fn wipe_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<(), CmlError>;

    /// Makes a lab of a topology in YAML or JSON; `title` replaces the topology's own.
    async fn import_lab(
        &self,
        access: CmlAccess<'_>,
        topology: &str,
        title: Option<&str>,
    ) -> Result<ImportedLab, CmlError>;

    /// The topology as YAML, with the configurations that are stored; at most 8 MiB.
    async fn download_lab(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<String, CmlError>;

    /// Its nodes and links, without configurations.
    async fn lab_topology(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlTopology, CmlError>;

    /// Whether it runs.
    async fn lab_state(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<CmlState, CmlError>;

    /// The states of everything in it.
    async fn lab_element_states(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<ElementStates, CmlError>;

    /// What happened to it, oldest first; the newest 1,000.
    async fn lab_events(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<Vec<LabEvent>, CmlError>;

    /// What it uses.
    async fn simulation_statistics(
        &self,
        access: CmlAccess<'_>,
        lab_id: &str,
    ) -> Result<SimulationStatistics, CmlError>;

    /// Whether every node has come to the state it was sent to.
    async fn lab_converged(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<bool, CmlError>;
}
