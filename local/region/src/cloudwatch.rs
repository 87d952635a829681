//! CloudWatch: what the software inside says, for the spans in which the instance ran.

use app::ports::{CloudWatch, Ec2Error, InstanceMetrics, MetricsRequest};
use async_trait::async_trait;
use domain::metrics::CloudWatchReading;
use domain::{InstanceId, Place};

use crate::{InstanceLoad, SimulatedCloud};

const OPERATION: &str = "GetMetricData";
/// CPU, memory, network in and out.
const METRICS_AN_INSTANCE: usize = 4;
/// Source: CloudWatch API reference, `GetMetricData`, `MetricDataQueries`.
const METRICS_A_CALL: usize = 500;

#[async_trait]
impl CloudWatch for SimulatedCloud {
    async fn metrics(&self, place: &Place, request: &MetricsRequest) -> Result<Vec<InstanceMetrics>, Ec2Error> {
        if request.instances.is_empty() {
            return Ok(vec![]);
        }
        let periods: Vec<(InstanceId, Option<f64>)> = self.call(OPERATION, |model, now| {
            let period = |id: &InstanceId| {
                let instance = model.find(OPERATION, Some(place), id.as_str(), now).ok()?;
                let seconds = if instance.detailed_monitoring { 60.0 } else { 300.0 };
                instance.ran_in(request.from, request.to, now).then_some(seconds)
            };
            Ok(request.instances.iter().map(|id| (id.clone(), period(id))).collect())
        })?;
        let calls = (request.instances.len() * METRICS_AN_INSTANCE).div_ceil(METRICS_A_CALL);
        self.lock().gate.count(OPERATION, calls as u64 - 1);
        let metrics = |(id, period): (InstanceId, Option<f64>)| {
            let reading = period.map(|seconds| reading(self.load(id.as_str()), seconds)).unwrap_or_default();
            InstanceMetrics { id, reading }
        };
        Ok(periods.into_iter().map(metrics).collect())
    }
}

fn reading(load: InstanceLoad, period_seconds: f64) -> CloudWatchReading {
    let one_way = load.network_bytes_per_second.max(0.0) * period_seconds / 2.0;
    CloudWatchReading {
        cpu_percent: Some(load.cpu_percent.clamp(0.0, 100.0)),
        memory_percent: load.memory_percent.map(|percent| percent.clamp(0.0, 100.0)),
        network_in_bytes: Some(one_way),
        network_out_bytes: Some(one_way),
    }
}
