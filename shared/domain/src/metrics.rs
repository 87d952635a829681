//! Readings by source, each with its own time: one source failing leaves the others as they were.

use jiff::Timestamp;

/// What EC2's status checks say of a running instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ec2Reading {
    /// The instance status check: `ok`, `impaired`, `initializing`, `insufficient-data`.
    pub instance_check: Option<String>,
    /// The system status check, in the same words.
    pub system_check: Option<String>,
}

impl Ec2Reading {
    /// Both checks passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.instance_check.as_deref() == Some("ok") && self.system_check.as_deref() == Some("ok")
    }
}

/// What CloudWatch measured, averaged over its last period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloudWatchReading {
    /// CPU in percent of the whole instance.
    pub cpu_percent: Option<f64>,
    /// Memory in percent; null without the CloudWatch agent.
    pub memory_percent: Option<f64>,
    /// Bytes received in the period.
    pub network_in_bytes: Option<f64>,
    /// Bytes sent in the period.
    pub network_out_bytes: Option<f64>,
}

/// What the CML controller says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CmlReading {
    /// CML's version, as it spells it.
    pub version: Option<String>,
    /// At least one compute can start nodes (`system_information.ready`).
    pub ready: bool,
    /// Seconds since the instance's last start, by EC2's clock: CML itself tells no uptime.
    pub uptime_secs: Option<i64>,
    /// Labs of all owners.
    pub labs: Option<u32>,
    /// Nodes that run now.
    pub running_nodes: Option<u32>,
    /// Nodes defined.
    pub total_nodes: Option<u32>,
    /// CPU in percent over all computes.
    pub cpu_percent: Option<f64>,
    /// Memory in percent over all computes.
    pub memory_percent: Option<f64>,
    /// Disk in percent over all computes.
    pub disk_percent: Option<f64>,
    /// Virtual CPUs promised to nodes.
    pub allocated_cpus: Option<u32>,
    /// `system_health.valid`: every service of every compute is well.
    pub healthy: Option<bool>,
    /// Whether hardware virtualisation is there; false means the wrong instance type.
    pub kvm: Option<bool>,
    /// The licence.
    pub license: Option<LicenseReading>,
}

/// What `GET /licensing` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicenseReading {
    /// Registration status, such as `COMPLETED`.
    pub registration: Option<String>,
    /// Authorization status, such as `IN_COMPLIANCE`.
    pub authorization: Option<String>,
    /// The active product licence, such as `CML_Enterprise`.
    pub product: Option<String>,
    /// When the registration ends.
    pub expires_at: Option<Timestamp>,
}

impl LicenseReading {
    /// Whether a seat may be taken. Only what CML says to be unregistered, or to have failed, has none for
    /// certain: its words for what is under way are not documented.
    #[must_use]
    pub fn may_hold_seat(&self) -> bool {
        let said = self.registration.as_deref().map(|word| word.replace([' ', '-'], "_").to_ascii_uppercase());
        !matches!(said.as_deref(), None | Some("NOT_REGISTERED" | "UNREGISTERED" | "DEREGISTERED" | "FAILED"))
    }
}

/// Whether the CML service of a worker can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceStatus {
    /// The instance does not run, or nothing answers.
    #[default]
    Unavailable,
    /// It answers, but is not ready yet; 502 from its web server while it boots is normal.
    Starting,
    /// `ready`: labs can be started.
    Available,
    /// It answers, and something is wrong.
    Error,
}

impl ServiceStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Unavailable, Self::Starting, Self::Available, Self::Error];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Starting => "starting",
            Self::Available => "available",
            Self::Error => "error",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}
