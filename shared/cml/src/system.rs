//! What the controller says of itself: information, health and statistics.

use app::ports::{CmlError, SystemInformation};
use domain::metrics::CmlReading;
use serde_json::Value;

use crate::auth::Session;
use crate::call::Call;
use crate::json::{bool_at, number_at, object, parse, text_at};
use crate::transport::{self, Transport};

const INFORMATION: &str = "GET /system_information";
pub(crate) const HEALTH: &str = "GET /system_health";
pub(crate) const STATS: &str = "GET /system_stats";

/// What is asked without credentials, and the certificate shown while answering.
pub(crate) async fn information(transport: &Transport) -> Result<(SystemInformation, String), CmlError> {
    let response = transport.send(&Call::new(INFORMATION)?, None).await?;
    let body = transport::read(INFORMATION, response).await?;
    let answer = object(INFORMATION, parse(INFORMATION, &body)?)?;
    let information = SystemInformation {
        version: text_at(&answer, "/version").unwrap_or_else(|| "unknown".to_owned()),
        ready: bool_at(&answer, "/ready").unwrap_or(false),
    };
    let certificate =
        transport.certificate().ok_or_else(|| crate::errors::malformed(INFORMATION, "it showed no certificate"))?;
    Ok((information, certificate))
}

/// Health: everything is well, and the hardware can virtualise.
pub(crate) struct Health {
    healthy: Option<bool>,
    kvm: Option<bool>,
}

impl Health {
    pub(crate) async fn read(session: &Session<'_>) -> Result<Self, CmlError> {
        Ok(Self::of(&object(HEALTH, session.json(&Call::new(HEALTH)?).await?)?))
    }

    fn of(answer: &Value) -> Self {
        let kvm: Vec<bool> = computes(answer).filter_map(|compute| bool_at(compute, "/kvm_vmx_enabled")).collect();
        Self { healthy: bool_at(answer, "/valid"), kvm: (!kvm.is_empty()).then(|| kvm.iter().all(|enabled| *enabled)) }
    }

    pub(crate) fn fill(self, reading: &mut CmlReading) {
        reading.healthy = self.healthy;
        reading.kvm = self.kvm;
    }
}

/// Statistics over all computes.
pub(crate) struct Stats {
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    disk_percent: Option<f64>,
    running_nodes: Option<u32>,
    total_nodes: Option<u32>,
    allocated_cpus: Option<u32>,
}

impl Stats {
    pub(crate) async fn read(session: &Session<'_>) -> Result<Self, CmlError> {
        Ok(Self::of(&object(STATS, session.json(&Call::new(STATS)?).await?)?))
    }

    fn of(answer: &Value) -> Self {
        Self {
            cpu_percent: number_at(answer, "/all/cpu/percent").or_else(|| mean_cpu(answer)),
            memory_percent: used_percent(answer, "memory"),
            disk_percent: used_percent(answer, "disk"),
            running_nodes: node_sum(answer, "/stats/dominfo/running_nodes"),
            total_nodes: node_sum(answer, "/stats/dominfo/total_nodes"),
            allocated_cpus: node_sum(answer, "/stats/dominfo/allocated_cpus"),
        }
    }

    pub(crate) fn fill(self, reading: &mut CmlReading) {
        reading.cpu_percent = self.cpu_percent;
        reading.memory_percent = self.memory_percent;
        reading.disk_percent = self.disk_percent;
        reading.running_nodes = self.running_nodes;
        reading.total_nodes = self.total_nodes;
        reading.allocated_cpus = self.allocated_cpus;
    }
}

/// The computes, by whatever ids; none when there is no such object.
fn computes(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.get("computes").and_then(Value::as_object).into_iter().flat_map(|computes| computes.values())
}

fn mean_cpu(answer: &Value) -> Option<f64> {
    let each: Vec<f64> = computes(answer).filter_map(|compute| number_at(compute, "/stats/cpu/percent")).collect();
    (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
}

/// How full memory or disk is: by CML's own total, or by the sum over its computes.
fn used_percent(answer: &Value, what: &str) -> Option<f64> {
    let amounts = |part: &Value, prefix: &str| {
        let used = number_at(part, &format!("{prefix}/{what}/used"))?;
        let total = number_at(part, &format!("{prefix}/{what}/total"))?;
        (total > 0.0).then_some((used, total))
    };
    let (used, total) = amounts(answer, "/all").or_else(|| {
        computes(answer)
            .filter_map(|compute| amounts(compute, "/stats"))
            .reduce(|(used, total), (more_used, more_total)| (used + more_used, total + more_total))
    })?;
    Some(used / total * 100.0)
}

/// The sum over the computes that know; null when none does.
fn node_sum(answer: &Value, pointer: &str) -> Option<u32> {
    let sum = computes(answer)
        .filter_map(|compute| number_at(compute, pointer))
        .filter(|count| *count >= 0.0)
        .reduce(|sum, count| sum + count)?;
    // Saturates, should a controller claim billions.
    Some(sum.round() as u32)
}
