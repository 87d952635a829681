//! A worker's readings, latest and past.

use app::store::Sample;
use app::use_cases::read_workers::WorkerDetails;
use serde::Serialize;
use utoipa::ToSchema;

use super::{maybe_time, time};

/// Readings by source, each with its own time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricsView {
    /// From EC2.
    pub ec2: Ec2View,
    /// From CloudWatch.
    pub cloudwatch: CloudWatchView,
    /// From CML.
    pub cml: CmlView,
    /// What failed in the last readings.
    pub errors: Vec<String>,
}

/// From EC2.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ec2View {
    /// The instance status check.
    pub instance_state_detail: Option<String>,
    /// The system status check.
    pub system_status_check: Option<String>,
    /// When it was read.
    pub last_checked_at: Option<String>,
}

/// From CloudWatch.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CloudWatchView {
    /// Percent.
    pub cpu_utilization: Option<f64>,
    /// Percent; null without the CloudWatch agent.
    pub memory_utilization: Option<f64>,
    /// Bytes in the period.
    pub network_in: Option<f64>,
    /// Bytes in the period.
    pub network_out: Option<f64>,
    /// Whether EC2 measures every minute.
    pub detailed_monitoring_enabled: Option<bool>,
    /// When it was read.
    pub last_collected_at: Option<String>,
}

/// From CML.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CmlView {
    /// CML's version.
    pub version: Option<String>,
    /// Whether nodes can be started.
    pub ready: Option<bool>,
    /// Seconds since the instance's last start.
    pub uptime_seconds: Option<i64>,
    /// Labs of all owners.
    pub labs_count: Option<u32>,
    /// Nodes that run.
    pub running_nodes: Option<u32>,
    /// Nodes defined.
    pub total_nodes: Option<u32>,
    /// Percent.
    pub cpu_percent: Option<f64>,
    /// Percent.
    pub memory_percent: Option<f64>,
    /// Percent.
    pub disk_percent: Option<f64>,
    /// Virtual CPUs promised to nodes.
    pub allocated_cpus: Option<u32>,
    /// When it was last read in full.
    pub last_synced_at: Option<String>,
}

/// One point of a worker's history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SampleView {
    /// When.
    pub at: String,
    /// `aws` or `cml`.
    pub source: &'static str,
    /// Percent, from CloudWatch.
    pub cpu_utilization: Option<f64>,
    /// Percent, from CloudWatch.
    pub memory_utilization: Option<f64>,
    /// Bytes, from CloudWatch.
    pub network_in: Option<f64>,
    /// Bytes, from CloudWatch.
    pub network_out: Option<f64>,
    /// Percent, from CML.
    pub cpu_percent: Option<f64>,
    /// Percent, from CML.
    pub memory_percent: Option<f64>,
    /// Percent, from CML.
    pub disk_percent: Option<f64>,
    /// Labs.
    pub labs_count: Option<u32>,
    /// Nodes that ran.
    pub running_nodes: Option<u32>,
}

/// A page of history, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SampleList {
    /// The points.
    pub items: Vec<SampleView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl From<&WorkerDetails> for MetricsView {
    fn from(details: &WorkerDetails) -> Self {
        let (aws, cml) = (&details.telemetry.aws, &details.telemetry.cml);
        let mut errors = aws.errors.clone();
        errors.extend(cml.errors.clone());
        Self {
            ec2: Ec2View {
                instance_state_detail: aws.ec2.instance_check.clone(),
                system_status_check: aws.ec2.system_check.clone(),
                last_checked_at: maybe_time(aws.ec2_at),
            },
            cloudwatch: CloudWatchView {
                cpu_utilization: aws.cloudwatch.cpu_percent,
                memory_utilization: aws.cloudwatch.memory_percent,
                network_in: aws.cloudwatch.network_in_bytes,
                network_out: aws.cloudwatch.network_out_bytes,
                detailed_monitoring_enabled: details.worker.instance.as_ref().map(|f| f.detailed_monitoring),
                last_collected_at: maybe_time(aws.cloudwatch_at),
            },
            cml: CmlView {
                version: cml.cml.version.clone(),
                ready: cml.tried_at.map(|_| cml.cml.ready),
                uptime_seconds: cml.cml.uptime_secs,
                labs_count: cml.cml.labs,
                running_nodes: cml.cml.running_nodes,
                total_nodes: cml.cml.total_nodes,
                cpu_percent: cml.cml.cpu_percent,
                memory_percent: cml.cml.memory_percent,
                disk_percent: cml.cml.disk_percent,
                allocated_cpus: cml.cml.allocated_cpus,
                last_synced_at: maybe_time(cml.read_at),
            },
            errors,
        }
    }
}

impl From<&(&'static str, Sample)> for SampleView {
    fn from((source, sample): &(&'static str, Sample)) -> Self {
        Self {
            at: time(sample.at),
            source,
            cpu_utilization: sample.cpu_percent,
            memory_utilization: sample.memory_percent,
            network_in: sample.network_in_bytes,
            network_out: sample.network_out_bytes,
            cpu_percent: sample.cml_cpu_percent,
            memory_percent: sample.cml_memory_percent,
            disk_percent: sample.cml_disk_percent,
            labs_count: sample.labs,
            running_nodes: sample.running_nodes,
        }
    }
}
