//! The stored form of readings: one item per worker, source zone and hour, that holds the latest
//! reading and the hour's samples. One write a reading gives both (see docs/decisions/0002).

use domain::activity::Activity;
use domain::metrics::{CloudWatchReading, CmlReading, Ec2Reading, LicenseReading};
use domain::{SignedDuration, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use super::{keys, record};
use crate::error::AppError;
use crate::ports::Item;

/// Samples an item holds at most: an hour at one reading every five seconds.
const SAMPLES_MAX: usize = 720;

/// What AWS last said, each source with its own time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AwsReadings {
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// When `DescribeInstanceStatus` last answered.
    pub ec2_at: Option<Timestamp>,
    /// What it said.
    #[serde(with = "ec2")]
    pub ec2: Ec2Reading,
    /// When `GetMetricData` last answered.
    pub cloudwatch_at: Option<Timestamp>,
    /// What it said.
    #[serde(with = "cloudwatch")]
    pub cloudwatch: CloudWatchReading,
    /// What failed in the last reading, by source.
    pub errors: Vec<String>,
}

/// What CML last said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CmlReadings {
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// The instance that answered: of another one nothing is known by this.
    pub instance_id: Option<String>,
    /// When the licence was last read.
    pub license_at: Option<Timestamp>,
    /// When statistics and telemetry were last read in full.
    pub read_at: Option<Timestamp>,
    /// What it said.
    #[serde(with = "cml")]
    pub cml: CmlReading,
    /// Who used it, and when.
    #[serde(with = "activity")]
    pub activity: Activity,
    /// What failed in the last reading, by call.
    pub errors: Vec<String>,
}

/// One point of a worker's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// CPU of the instance in percent, from CloudWatch.
    pub cpu_percent: Option<f64>,
    /// Memory of the instance in percent, from CloudWatch.
    pub memory_percent: Option<f64>,
    /// Bytes received, from CloudWatch.
    pub network_in_bytes: Option<f64>,
    /// Bytes sent, from CloudWatch.
    pub network_out_bytes: Option<f64>,
    /// CPU in percent, from CML.
    pub cml_cpu_percent: Option<f64>,
    /// Memory in percent, from CML.
    pub cml_memory_percent: Option<f64>,
    /// Disk in percent, from CML.
    pub cml_disk_percent: Option<f64>,
    /// Labs.
    pub labs: Option<u32>,
    /// Nodes that ran.
    pub running_nodes: Option<u32>,
}

/// One source's readings of one worker.
pub trait Readings: Serialize + for<'a> Deserialize<'a> + Default + Clone + Send + Sync {
    /// The source in the key.
    const SOURCE: &'static str;

    /// The point this reading adds to the history, if it read anything.
    fn sample(&self, at: Timestamp) -> Option<Sample>;
}

impl Readings for AwsReadings {
    const SOURCE: &'static str = "aws";

    fn sample(&self, at: Timestamp) -> Option<Sample> {
        (self.cloudwatch_at == Some(at)).then(|| Sample {
            at,
            cpu_percent: self.cloudwatch.cpu_percent,
            memory_percent: self.cloudwatch.memory_percent,
            network_in_bytes: self.cloudwatch.network_in_bytes,
            network_out_bytes: self.cloudwatch.network_out_bytes,
            ..Sample::default()
        })
    }
}

impl Readings for CmlReadings {
    const SOURCE: &'static str = "cml";

    fn sample(&self, at: Timestamp) -> Option<Sample> {
        (self.read_at == Some(at)).then(|| Sample {
            at,
            cml_cpu_percent: self.cml.cpu_percent,
            cml_memory_percent: self.cml.memory_percent,
            cml_disk_percent: self.cml.disk_percent,
            labs: self.cml.labs,
            running_nodes: self.cml.running_nodes,
            ..Sample::default()
        })
    }
}

/// One hour of one source.
#[derive(Serialize, Deserialize)]
pub(super) struct HourRecord<R> {
    schema: u32,
    pub(super) latest: R,
    #[serde(default)]
    pub(super) samples: Vec<Sample>,
}

/// The hour's item after one more reading.
pub(super) fn hour_item<R: Readings>(
    worker: WorkerId,
    before: Option<&Item>,
    latest: &R,
    at: Timestamp,
    retention: SignedDuration,
) -> Result<Item, AppError> {
    let mut samples = before.map(record::read::<HourRecord<R>>).transpose()?.map_or_else(Vec::new, |hour| hour.samples);
    samples.extend(latest.sample(at));
    let surplus = samples.len().saturating_sub(SAMPLES_MAX);
    samples.drain(..surplus);
    let key = keys::telemetry(worker, R::SOURCE, &keys::hour(at));
    Ok(Item {
        pk: key.pk,
        sk: key.sk,
        gsi1: None,
        gsi2: None,
        version: Some(before.and_then(|item| item.version).unwrap_or(0) + 1),
        expires_at: at.checked_add(retention).ok(),
        attributes: record::compact_attributes(&HourRecord { schema: 1, latest: latest.clone(), samples }),
    })
}

pub(super) fn read_hour<R: Readings>(item: &Item) -> Result<HourRecord<R>, AppError> {
    record::read(item)
}

/// Serde by hand for domain types, which never derive it.
macro_rules! remote {
    ($module:ident, $domain:ty, { $($field:ident: $type:ty),* $(,)? }) => {
        mod $module {
            use super::*;

            #[derive(Serialize, Deserialize, Default)]
            #[serde(default)]
            struct Record { $($field: $type),* }

            pub(super) fn serialize<S: serde::Serializer>(value: &$domain, serializer: S) -> Result<S::Ok, S::Error> {
                Record { $($field: value.$field.clone().into()),* }.serialize(serializer)
            }

            pub(super) fn deserialize<'a, D: serde::Deserializer<'a>>(deserializer: D) -> Result<$domain, D::Error> {
                let record = Record::deserialize(deserializer)?;
                Ok(<$domain>::from(record))
            }

            impl From<Record> for $domain {
                fn from(record: Record) -> Self {
                    Self { $($field: record.$field.into()),* }
                }
            }
        }
    };
}

remote!(ec2, Ec2Reading, { instance_check: Option<String>, system_check: Option<String> });
remote!(cloudwatch, CloudWatchReading, {
    cpu_percent: Option<f64>, memory_percent: Option<f64>, network_in_bytes: Option<f64>, network_out_bytes: Option<f64>,
});
remote!(activity, Activity, {
    person_at: Option<Timestamp>, person_did: Option<String>, nodes_ran_at: Option<Timestamp>,
    high_water: Option<Timestamp>,
});
remote!(cml, CmlReading, {
    version: Option<String>, ready: bool, uptime_secs: Option<i64>, labs: Option<u32>, running_nodes: Option<u32>,
    total_nodes: Option<u32>, cpu_percent: Option<f64>, memory_percent: Option<f64>, disk_percent: Option<f64>,
    allocated_cpus: Option<u32>, healthy: Option<bool>, kvm: Option<bool>, license: OptionalLicense,
});

/// A licence reading or none, with serde.
#[derive(Serialize, Deserialize, Default, Clone)]
#[serde(transparent)]
struct OptionalLicense(Option<LicenseRecord>);

#[derive(Serialize, Deserialize, Default, Clone)]
#[serde(default)]
struct LicenseRecord {
    registration: Option<String>,
    authorization: Option<String>,
    product: Option<String>,
    expires_at: Option<Timestamp>,
}

impl From<Option<LicenseReading>> for OptionalLicense {
    fn from(license: Option<LicenseReading>) -> Self {
        Self(license.map(|l| LicenseRecord {
            registration: l.registration,
            authorization: l.authorization,
            product: l.product,
            expires_at: l.expires_at,
        }))
    }
}

impl From<OptionalLicense> for Option<LicenseReading> {
    fn from(license: OptionalLicense) -> Self {
        license.0.map(|l| LicenseReading {
            registration: l.registration,
            authorization: l.authorization,
            product: l.product,
            expires_at: l.expires_at,
        })
    }
}
