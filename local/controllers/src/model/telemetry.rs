//! The telemetry feed: what people did and what the machine says of itself.

use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How often the machine writes about itself, in fleet time.
pub(super) const MACHINE_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// How many entries the feed keeps.
pub(crate) const EVENTS_KEPT: usize = 4_000;

/// CML's categories. Source: CML 2.9 OpenAPI; `lab_autostart` came with 2.10.
const CATEGORIES: [&str; 26] = [
    "aaa_info",
    "blkinfo",
    "boot_node",
    "cpuinfo",
    "dmiinfo",
    "export_lab",
    "hypervisor",
    "import_lab",
    "lab_autostart",
    "license_info",
    "maintenance_state_change",
    "meminfo",
    "notice_state_change",
    "packet_capture",
    "queue_node",
    "resource_pool",
    "running_nodes",
    "start_lab",
    "start_node",
    "stop_lab",
    "stop_node",
    "system_stats",
    "user_activity",
    "user_group",
    "vmware",
    "wipe_node",
];

/// Whether CML has such a category.
pub(crate) fn is_category(text: &str) -> bool {
    CATEGORIES.contains(&text)
}

/// One entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) category: String,
    pub(crate) timestamp: Timestamp,
    pub(crate) data: Value,
}

impl Event {
    /// What a user did, not to a lab.
    pub(crate) fn by_user(category: &str, at: Timestamp, user_id: &str) -> Self {
        Self { category: category.into(), timestamp: at, data: json!({ "user_id": user_id }) }
    }

    /// What a user did to a lab.
    pub(crate) fn of_lab(category: &str, at: Timestamp, user_id: &str, lab_id: &str) -> Self {
        Self { category: category.into(), timestamp: at, data: json!({ "user_id": user_id, "lab_id": lab_id }) }
    }

    /// What a user did to a node.
    pub(crate) fn of_node(
        category: &str,
        at: Timestamp,
        user_id: &str,
        lab_id: &str,
        node: &super::node::Node,
    ) -> Self {
        let data = json!({
            "user_id": user_id, "lab_id": lab_id, "node_id": node.id, "node_definition": node.spec.node_definition,
        });
        Self { category: category.into(), timestamp: at, data }
    }

    /// What the machine says of itself.
    pub(crate) fn of_machine(category: &str, at: Timestamp, data: Value) -> Self {
        Self { category: category.into(), timestamp: at, data }
    }
}
