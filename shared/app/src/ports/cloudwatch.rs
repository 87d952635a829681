//! CloudWatch, in bulk.

use async_trait::async_trait;
use domain::metrics::CloudWatchReading;
use domain::{InstanceId, Place, Timestamp};

use super::Ec2Error;

/// Which instances, in which span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsRequest {
    /// The instances.
    pub instances: Vec<InstanceId>,
    /// From, inclusive.
    pub from: Timestamp,
    /// To, exclusive.
    pub to: Timestamp,
}

/// The newest values of one instance in the span.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceMetrics {
    /// The instance.
    pub id: InstanceId,
    /// The values; absent ones have no data in the span.
    pub reading: CloudWatchReading,
}

/// CloudWatch.
#[async_trait]
pub trait CloudWatch: Send + Sync {
    /// CPU, memory (agent) and network of each instance, with `GetMetricData`, 500 metrics a call.
    async fn metrics(&self, place: &Place, request: &MetricsRequest) -> Result<Vec<InstanceMetrics>, Ec2Error>;
}
