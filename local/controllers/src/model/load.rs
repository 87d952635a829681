//! What the labs ask of their host, and what that makes of its numbers.

use domain::Timestamp;

use super::node::{Node, NodeState};

/// Memory per virtual CPU: that of EC2's general purpose types.
const BYTES_PER_VCPU: u64 = 4 << 30;
/// What CML takes for itself.
const OWN_MEMORY: u64 = 5 << 30;
const OWN_CPU_PERCENT: f64 = 3.0;
const OWN_BYTES_PER_SECOND: f64 = 2_000.0;
const BYTES_PER_SECOND_OF_NODE: f64 = 25_000.0;
/// The share of its virtual CPUs that a node uses while it boots, and after.
const BOOTING_SHARE: f64 = 0.8;
const BOOTED_SHARE: f64 = 0.12;

/// The machine under a controller.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) instance_type: String,
    pub(crate) vcpus: u32,
}

impl Host {
    /// Its memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        u64::from(self.vcpus.max(1)) * BYTES_PER_VCPU
    }
}

/// What CloudWatch would measure of a controller's host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Nodes that run.
    pub running_nodes: u32,
    /// CPU in percent of the whole machine.
    pub cpu_percent: f64,
    /// Memory in percent.
    pub memory_percent: f64,
    /// Bytes per second, in each direction.
    pub network_bytes_per_second: f64,
}

/// What the nodes ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    pub(crate) total_nodes: u32,
    pub(crate) running_nodes: u32,
    pub(crate) vcpus: u32,
    pub(crate) memory_mib: u64,
    busy_cpus: f64,
    booted_nodes: u32,
}

impl Demand {
    pub(crate) fn of<'a>(nodes: impl Iterator<Item = &'a Node>, now: Timestamp) -> Self {
        let mut demand = Self::default();
        for node in nodes {
            demand.total_nodes += 1;
            let state = node.state(now);
            if !state.runs() {
                continue;
            }
            let booted = state == NodeState::Booted;
            demand.running_nodes += 1;
            demand.booted_nodes += u32::from(booted);
            demand.vcpus += node.spec.vcpus();
            demand.memory_mib += node.spec.memory_mib();
            demand.busy_cpus += f64::from(node.spec.vcpus()) * if booted { BOOTED_SHARE } else { BOOTING_SHARE };
        }
        demand
    }

    /// Bytes of memory in use, CML's own among them.
    pub(crate) fn memory_used(&self, host: &Host) -> u64 {
        (OWN_MEMORY + (self.memory_mib << 20)).min(host.memory() / 100 * 97)
    }

    /// The numbers of the host.
    #[expect(clippy::cast_precision_loss, reason = "a percentage of bytes needs no 64 bits")]
    pub(crate) fn load(&self, host: &Host) -> Load {
        let cpu = OWN_CPU_PERCENT + self.busy_cpus / f64::from(host.vcpus.max(1)) * 100.0;
        let memory = self.memory_used(host) as f64 / host.memory() as f64 * 100.0;
        Load {
            running_nodes: self.running_nodes,
            cpu_percent: two_digits(cpu.min(98.0)),
            memory_percent: two_digits(memory),
            network_bytes_per_second: OWN_BYTES_PER_SECOND + f64::from(self.booted_nodes) * BYTES_PER_SECOND_OF_NODE,
        }
    }
}

fn two_digits(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
