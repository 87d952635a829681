//! The controller itself: health, statistics, computes, notices to its users.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{CmlAccess, CmlError};

/// `GET /system_health`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemHealth {
    /// Everything is well.
    pub valid: Option<bool>,
    /// It has a licence.
    pub is_licensed: Option<bool>,
    /// It is an Enterprise edition.
    pub is_enterprise: Option<bool>,
    /// By compute.
    pub computes: Vec<ComputeHealth>,
    /// Of the controller's services.
    pub controller: ControllerHealth,
}

/// How a compute is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComputeHealth {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub hostname: Option<String>,
    /// The controller is on it.
    pub is_controller: Option<bool>,
    /// `UNREGISTERED`, `REGISTERED`, `ONLINE` or `READY`.
    pub admission_state: Option<String>,
    /// Every check by CML's name of it, such as `kvm_vmx_enabled`; null when it was not made.
    pub checks: BTreeMap<String, Option<bool>>,
}

/// How the controller's services are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControllerHealth {
    /// Every check by CML's name of it, such as `core_connected`; null when it was not made.
    pub checks: BTreeMap<String, Option<bool>>,
}

/// `GET /system_stats`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SystemStatistics {
    /// Processors of all computes.
    pub cpu_count: Option<f64>,
    /// CPU in percent over all computes.
    pub cpu_percent: Option<f64>,
    /// Memory of all computes.
    pub memory: Capacity,
    /// Disk of all computes.
    pub disk: Capacity,
    /// By compute.
    pub computes: Vec<ComputeStatistics>,
}

/// An amount and how much of it is used, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Used.
    pub used_bytes: Option<f64>,
    /// Free.
    pub free_bytes: Option<f64>,
    /// In all.
    pub total_bytes: Option<f64>,
}

/// What a compute has and uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComputeStatistics {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub hostname: Option<String>,
    /// The controller is on it.
    pub is_controller: Option<bool>,
    /// Its processors.
    pub cpu_count: Option<f64>,
    /// CPU in percent.
    pub cpu_percent: Option<f64>,
    /// Load over 1, 5 and 15 minutes.
    pub load: Vec<f64>,
    /// Memory.
    pub memory: Capacity,
    /// Disk.
    pub disk: Capacity,
    /// Nodes on it.
    pub total_nodes: Option<u32>,
    /// Nodes that run.
    pub running_nodes: Option<u32>,
    /// Virtual CPUs promised to nodes.
    pub allocated_cpus: Option<u32>,
    /// Memory promised to nodes, in CML's unit (probably KiB; its documentation does not say).
    pub allocated_memory: Option<f64>,
}

/// A machine of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComputeHost {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub hostname: Option<String>,
    /// Its address within the cluster.
    pub server_address: Option<String>,
    /// `UNREGISTERED`, `REGISTERED`, `ONLINE` or `READY`.
    pub admission_state: Option<String>,
    /// The controller is on it.
    pub is_connector: Option<bool>,
    /// It runs nodes.
    pub is_simulator: Option<bool>,
    /// It is connected to the controller.
    pub is_connected: Option<bool>,
    /// It knows what the controller knows.
    pub is_synced: Option<bool>,
    /// Nodes placed on it.
    pub deployed_nodes: Option<u32>,
    /// Nodes that run on it.
    pub running_nodes: Option<u32>,
}

/// How urgent a notice is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// For information.
    Info,
    /// Good news.
    Success,
    /// A warning.
    Warning,
    /// An error.
    Error,
    /// A level that this version of the client does not know, as CML spells it.
    Other(String),
}

impl NoticeLevel {
    /// The level of that name; every name is one.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "INFO" => Self::Info,
            "SUCCESS" => Self::Success,
            "WARNING" => Self::Warning,
            "ERROR" => Self::Error,
            other => Self::Other(other.to_owned()),
        }
    }

    /// CML's name of it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Info => "INFO",
            Self::Success => "SUCCESS",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Other(name) => name,
        }
    }
}

/// A notice that CML shows to its users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmlNotice {
    /// CML's id of it.
    pub id: String,
    /// How urgent it is.
    pub level: Option<NoticeLevel>,
    /// Its title.
    pub label: Option<String>,
    /// Its text.
    pub content: Option<String>,
    /// It is shown.
    pub enabled: Option<bool>,
    /// Whether each user has acknowledged it, by user id.
    pub acknowledged: BTreeMap<String, bool>,
    /// The ids of the groups it is for; empty is everybody.
    pub groups: Vec<String>,
}

/// What a new notice says, or what is changed of one: null leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeChange<'a> {
    /// How urgent it is.
    pub level: Option<&'a NoticeLevel>,
    /// Its title, 1 to 128 characters.
    pub label: Option<&'a str>,
    /// Its text, at most 8,192 characters.
    pub content: Option<&'a str>,
    /// It is shown.
    pub enabled: Option<bool>,
    /// The ids of the groups it is for; empty is everybody.
    pub groups: Option<&'a [String]>,
}

/// Whether only administrators may sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceMode {
    /// They alone may.
    pub enabled: Option<bool>,
    /// The id of the notice that tells the others why.
    pub notice_id: Option<String>,
}

/// The controller itself.
#[async_trait]
pub trait CmlSystem: Send + Sync {
    /// How it is.
    async fn health(&self, access: CmlAccess<'_>) -> Result<SystemHealth, CmlError>;

    /// What it has and uses.
    async fn statistics(&self, access: CmlAccess<'_>) -> Result<SystemStatistics, CmlError>;

    /// The machines of its cluster.
    async fn compute_hosts(&self, access: CmlAccess<'_>) -> Result<Vec<ComputeHost>, CmlError>;

    /// Whether only administrators may sign in.
    async fn maintenance_mode(&self, access: CmlAccess<'_>) -> Result<MaintenanceMode, CmlError>;

    /// Its notices.
    async fn notices(&self, access: CmlAccess<'_>) -> Result<Vec<CmlNotice>, CmlError>;

    /// Shows a notice; CML wants a level, a label and a content.
    async fn create_notice(&self, access: CmlAccess<'_>, notice: NoticeChange<'_>) -> Result<CmlNotice, CmlError>;

    /// Changes a notice.
    async fn update_notice(
        &self,
        access: CmlAccess<'_>,
        notice_id: &str,
        change: NoticeChange<'_>,
    ) -> Result<(), CmlError>;

    /// Takes a notice away.
    async fn delete_notice(&self, access: CmlAccess<'_>, notice_id: &str) -> Result<(), CmlError>;
}
