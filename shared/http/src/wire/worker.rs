//! A worker as callers see it. Objects are always present, unknown leaves are null.

use std::collections::BTreeMap;

use app::use_cases::read_workers::WorkerDetails;
use domain::instance::Lifecycle;
use domain::metrics::LicenseReading;
use domain::worker::ImageChoice;
use serde::Serialize;
use utoipa::ToSchema;

use super::worker_metrics::MetricsView;
use super::worker_power::{IdlePolicyView, PowerView};
use super::{EvidencePointerView, maybe_time, time};

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
    /// Types to take where EC2 has no capacity of the one wished for, best first.
    pub fallback_instance_types: Vec<String>,
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
    /// What was kept of its failures, the newest few; null in lists.
    pub evidence: Option<Vec<EvidencePointerView>>,
    /// How often it changed; the `ETag`.
    pub version: u64,
    /// When it was recorded.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
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

/// A page of workers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkerList {
    /// The workers.
    pub items: Vec<WorkerView>,
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
            fallback_instance_types: worker.spec.fallback_instance_types.clone(),
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
            endpoint: details.endpoint.clone(),
            public_ip: facts.and_then(|f| f.public_ip.clone()),
            private_ip: facts.and_then(|f| f.private_ip.clone()),
            owner: worker.owner.clone(),
            tags: worker.tags.clone(),
            template_id: None,
            schedule_id: None,
            hourly_price: None,
            imported: worker.imported,
            certificate_sha256: worker.certificate_sha256.clone(),
            idle_policy: IdlePolicyView::from(worker),
            license: license(details.telemetry.cml.cml.license.as_ref()),
            metrics: MetricsView::from(details),
            power: PowerView::from(details),
            evidence: details.evidence.as_ref().map(|all| all.iter().map(EvidencePointerView::from).collect()),
            version: worker.version,
            created_at: time(worker.created_at),
            updated_at: time(worker.updated_at),
        }
    }
}

fn license(reading: Option<&LicenseReading>) -> LicenseView {
    reading.map_or_else(LicenseView::default, |license| LicenseView {
        status: license.authorization.clone(),
        registration: license.registration.clone(),
        product: license.product.clone(),
        expires_at: maybe_time(license.expires_at),
    })
}
