//! What nodes can be made of.

use async_trait::async_trait;

use super::{CmlAccess, CmlError};

/// A kind of node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeDefinition {
    /// Its name in topologies: `iosv`.
    pub id: String,
    /// Its name for people: `IOSv`.
    pub label: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// `router`, `switch`, `server`, ...
    pub nature: Option<String>,
    /// Virtual CPUs of a node, unless the node or its image says otherwise.
    pub vcpus: Option<u32>,
    /// Memory of a node in MiB, unless the node or its image says otherwise.
    pub memory_mib: Option<u32>,
    /// After how many seconds CML takes a node for booted anyway.
    pub boot_timeout_secs: Option<u32>,
    /// It came with CML and cannot be changed.
    pub read_only: Option<bool>,
}

/// A disk that nodes of one kind start from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageDefinition {
    /// Its name in topologies.
    pub id: String,
    /// The kind of node it is for.
    pub node_definition: Option<String>,
    /// Its name for people.
    pub label: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// The file of its first disk.
    pub disk_image: Option<String>,
    /// Virtual CPUs, when it needs others than its kind of node.
    pub vcpus: Option<u32>,
    /// Memory in MiB, when it needs other than its kind of node.
    pub memory_mib: Option<u32>,
    /// It came with CML and cannot be changed.
    pub read_only: Option<bool>,
}

/// What a controller can make nodes of.
#[async_trait]
pub trait CmlDefinitions: Send + Sync {
    /// Every kind of node.
    async fn node_definitions(&self, access: CmlAccess<'_>) -> Result<Vec<NodeDefinition>, CmlError>;

    /// Every image.
    async fn image_definitions(&self, access: CmlAccess<'_>) -> Result<Vec<ImageDefinition>, CmlError>;
}
