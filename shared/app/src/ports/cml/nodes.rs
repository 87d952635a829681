//! Nodes of a lab.

use async_trait::async_trait;

use super::{CmlAccess, CmlError, CmlState};

/// A node as it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CmlNode {
    /// CML's id of it.
    pub id: String,
    /// Its name in the lab.
    pub label: Option<String>,
    /// Which node definition it is of.
    pub node_definition: Option<String>,
    /// Which image; null is the definition's own.
    pub image_definition: Option<String>,
    /// Whether it runs.
    pub state: Option<CmlState>,
    /// How far it has booted: `Not running`, `Booting`, `Booted`.
    pub boot_progress: Option<String>,
    /// The compute it runs on.
    pub compute_id: Option<String>,
    /// Its virtual CPUs; null is the definition's number.
    pub vcpus: Option<u32>,
    /// Its memory in MiB; null is the definition's.
    pub memory_mib: Option<u32>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// How far a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProgress {
    /// Whether it runs.
    pub state: CmlState,
    /// How far it has booted: `Not running`, `Booting`, `Booted`.
    pub progress: Option<String>,
}

/// The nodes of a controller's labs.
#[async_trait]
pub trait CmlNodes: Send + Sync {
    /// A lab's nodes as they run, without configurations.
    async fn nodes(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<Vec<CmlNode>, CmlError>;

    /// How far a node is.
    async fn node_state(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<NodeProgress, CmlError>;

    /// Starts it.
    async fn start_node(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError>;

    /// Stops it.
    async fn stop_node(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError>;

    /// Wipes its disks; it must be stopped.
    async fn wipe_node_disks(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError>;

    /// Has CML read the running configuration of a booted node and store it with the lab.
    async fn extract_configuration(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError>;

    /// The last `lines` lines of a console of it, 10,000 at most and 1 MiB; consoles count from 0.
    async fn console_log(
        &self,
        access: CmlAccess<'_>,
        lab_id: &str,
        node_id: &str,
        console: u32,
        lines: u32,
    ) -> Result<Vec<String>, CmlError>;
}
