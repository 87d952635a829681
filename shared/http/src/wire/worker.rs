//! A worker as callers see it. Objects are always present, unknown leaves are null.

use std::collections::BTreeMap;

use app::store::Sample;
use app::use_cases::read_workers::WorkerDetails;
use domain::instance::Lifecycle;
use domain::metrics::LicenseReading;
use domain::power::PowerDecision;
use domain::worker::{ImageChoice, Worker};
use serde::Serialize;
use utoipa::ToSchema;

use super::{maybe_time, time};

/// A worker.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerView {
    /// Its id.
    #[schema(example = "wkr-01kj9d1v5qk3yxg7dpyhqf1c2e")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its AWS account.
    pub account_id: String,
    /// Its region.
    pub region: String,
    /// Its Availability Zone.
    pub availability_zone: Option<String>,
    /// The EC2 instance behind it.
    pub instance_id: Option<String>,
    /// The EC2 type.
    pub instance_type: String,
    /// `on-demand` or `spot`.
    pub lifecycle: &'static str,
    /// The image.
    pub ami_id: Option<String>,
    /// The image's name, where it was asked for by name.
    pub ami_name: Option<String>,
    /// `pending`, `provisioning`, `running`, `stopping`, `stopped`, `starting`, `terminating`, `terminated`, `failed` or `unknown`.
    pub status: &'static str,
    /// More about the status, in EC2's words.
    pub status_detail: Option<String>,
    /// What is wanted: `running`, `stopped` or `terminated`.
    pub desired_state: &'static str,
    /// Whether CML can be used: `unavailable`, `starting`, `available` or `error`.
    pub service_status: &'static str,
    /// Where CML answers.
    pub endpoint: Option<String>,
    /// The public address.
    pub public_ip: Option<String>,
    /// The private address.
    pub private_ip: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The template it was made from.
    pub template_id: Option<String>,
    /// The schedule it follows.
    pub schedule_id: Option<String>,
    /// What it costs an hour in US dollars, when known.
    pub hourly_price: Option<f64>,
    /// Whether it was imported.
    pub imported: bool,
    /// SHA-256 of the controller's certificate.
    pub certificate_sha256: Option<String>,
    /// When it may be stopped for being idle.
    pub idle_policy: IdlePolicyView,
    /// CML's licence.
    pub license: LicenseView,
    /// The latest readings, by source.
    pub metrics: MetricsView,
    /// Why it is up, and what happens next.
    pub power: PowerView,
    /// How often it changed; the `ETag`.
    pub version: u64,
    /// When it was recorded.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// When a worker may be stopped for being idle.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdlePolicyView {
    /// The worker's switch.
    pub enabled: bool,
    /// Its own timeout; null for the fleet's.
    pub timeout_minutes: Option<u32>,
}

/// CML's licence.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct LicenseView {
    /// The authorization status, such as `IN_COMPLIANCE`.
    pub status: Option<String>,
    /// The registration status, such as `COMPLETED`.
    pub registration: Option<String>,
    /// The product licence.
    pub product: Option<String>,
    /// When the registration ends.
    pub expires_at: Option<String>,
}

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

/// Why it is up, and what happens next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerView {
    /// Why it is in its state.
    pub state_reason: String,
    /// Since when nobody uses it.
    pub idle_since: Option<String>,
    /// What comes next, if anything: `stop`.
    pub next_action: Option<&'static str>,
    /// When it comes.
    pub next_action_at: Option<String>,
    /// What holds it up; null while nothing does.
    pub hold: Option<HoldView>,
}

/// A hold on a worker's power.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// Until when.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// A worker's power, explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkerPower {
    /// The worker.
    pub worker_id: String,
    /// Its status.
    pub status: &'static str,
    /// What is wanted.
    pub desired_state: &'static str,
    /// Why it is in its state.
    pub state_reason: String,
    /// Since when it runs.
    pub running_since: Option<String>,
    /// Since when nobody uses it.
    pub idle_since: Option<String>,
    /// When a person last used it.
    pub last_activity_at: Option<String>,
    /// What they did, in CML's word.
    pub last_activity: Option<String>,
    /// Nodes that ran when CML was last read.
    pub running_nodes: Option<u32>,
    /// When CML was last read in full.
    pub last_read_at: Option<String>,
    /// The last decision: `none`, `wait` or `stop`.
    pub decision: Option<&'static str>,
    /// Why it was decided so.
    pub decision_reason: Option<String>,
    /// When it was decided.
    pub decided_at: Option<String>,
    /// What comes next, if anything.
    pub next_action: Option<&'static str>,
    /// When it comes.
    pub next_action_at: Option<String>,
    /// When it is judged again.
    pub next_check_at: Option<String>,
    /// What holds it up; null while nothing does.
    pub hold: Option<HoldView>,
    /// When it may be stopped for being idle.
    pub idle_policy: IdlePolicyView,
}

/// A page of workers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkerList {
    /// The workers.
    pub items: Vec<WorkerView>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
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

impl From<&WorkerDetails> for WorkerView {
    fn from(details: &WorkerDetails) -> Self {
        let WorkerDetails { worker, .. } = details;
        let facts = worker.instance.as_ref();
        let (asked_id, asked_name) = match &worker.spec.image {
            ImageChoice::Id(id) => (Some(id.clone()), None),
            ImageChoice::Name(name) => (None, Some(name.clone())),
            ImageChoice::RegionDefault => (None, None),
        };
        Self {
            id: worker.id.to_string(),
            name: worker.name.clone(),
            account_id: worker.place.account.to_string(),
            region: worker.place.region.to_string(),
            availability_zone: facts.and_then(|f| f.availability_zone.clone()),
            instance_id: facts.map(|f| f.id.to_string()),
            instance_type: facts.map_or_else(|| worker.spec.instance_type.clone(), |f| f.instance_type.clone()),
            lifecycle: match facts.map(|f| f.lifecycle).unwrap_or_default() {
                Lifecycle::OnDemand => "on-demand",
                Lifecycle::Spot => "spot",
            },
            ami_id: facts.map(|f| f.ami_id.clone()).or_else(|| worker.launch_ami_id.clone()).or(asked_id),
            ami_name: asked_name,
            status: worker.status.name(),
            status_detail: worker.status_detail.clone(),
            desired_state: worker.desired.name(),
            service_status: worker.service.name(),
            endpoint: worker.endpoint(),
            public_ip: facts.and_then(|f| f.public_ip.clone()),
            private_ip: facts.and_then(|f| f.private_ip.clone()),
            owner: worker.owner.clone(),
            tags: worker.tags.clone(),
            template_id: None,
            schedule_id: None,
            hourly_price: None,
            imported: worker.imported,
            certificate_sha256: worker.certificate_sha256.clone(),
            idle_policy: idle_policy(worker),
            license: license(details.telemetry.cml.cml.license.as_ref()),
            metrics: metrics(details),
            power: power(details),
            version: worker.version,
            created_at: time(worker.created_at),
            updated_at: time(worker.updated_at),
        }
    }
}

fn idle_policy(worker: &Worker) -> IdlePolicyView {
    IdlePolicyView { enabled: worker.idle_policy.enabled, timeout_minutes: worker.idle_policy.timeout_minutes }
}

fn license(reading: Option<&LicenseReading>) -> LicenseView {
    reading.map_or_else(LicenseView::default, |license| LicenseView {
        status: license.authorization.clone(),
        registration: license.registration.clone(),
        product: license.product.clone(),
        expires_at: maybe_time(license.expires_at),
    })
}

fn metrics(details: &WorkerDetails) -> MetricsView {
    let (aws, cml) = (&details.telemetry.aws, &details.telemetry.cml);
    let mut errors = aws.errors.clone();
    errors.extend(cml.errors.clone());
    MetricsView {
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

/// What comes next by the standing decision, if anything is coming.
fn next_action(decision: Option<&PowerDecision>) -> Option<&'static str> {
    decision.and_then(|decision| decision.next_action_at).map(|_| "stop")
}

fn power(details: &WorkerDetails) -> PowerView {
    let decision = details.power.as_ref().and_then(|due| due.decided.as_ref()).map(|(_, decision)| decision);
    PowerView {
        state_reason: details.worker.state_reason.clone(),
        idle_since: maybe_time(decision.and_then(|d| d.idle_since)),
        next_action: next_action(decision),
        next_action_at: maybe_time(decision.and_then(|d| d.next_action_at)),
        hold: None,
    }
}

impl From<&WorkerDetails> for WorkerPower {
    fn from(details: &WorkerDetails) -> Self {
        let WorkerDetails { worker, telemetry, power } = details;
        let decided = power.as_ref().and_then(|due| due.decided.as_ref());
        let decision = decided.map(|(_, decision)| decision);
        Self {
            worker_id: worker.id.to_string(),
            status: worker.status.name(),
            desired_state: worker.desired.name(),
            state_reason: worker.state_reason.clone(),
            running_since: maybe_time(worker.running_since),
            idle_since: maybe_time(decision.and_then(|d| d.idle_since)),
            last_activity_at: maybe_time(telemetry.cml.activity.person_at),
            last_activity: telemetry.cml.activity.person_did.clone(),
            running_nodes: telemetry.cml.cml.running_nodes,
            last_read_at: maybe_time(telemetry.cml.read_at),
            decision: decision.map(|d| d.action.name()),
            decision_reason: decision.map(|d| d.reason.clone()),
            decided_at: maybe_time(decided.map(|(at, _)| *at)),
            next_action: next_action(decision),
            next_action_at: maybe_time(decision.and_then(|d| d.next_action_at)),
            next_check_at: maybe_time(power.as_ref().map(|due| due.due_at)),
            hold: None,
            idle_policy: idle_policy(worker),
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
