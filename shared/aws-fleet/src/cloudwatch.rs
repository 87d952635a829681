//! CloudWatch, in bulk.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::{CloudWatch, Ec2Error, InstanceMetrics, MetricsRequest};
use async_trait::async_trait;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy};
use domain::metrics::CloudWatchReading;
use domain::{InstanceId, Place, Timestamp};

use crate::clients::FleetClients;
use crate::error::ec2_error;

const OPERATION: &str = "GetMetricData";
/// Source: CloudWatch API reference, `GetMetricData`, `MetricDataQueries`.
const QUERIES_MAX: usize = 500;
/// Pages of one answer that are read at most.
const PAGES_MAX: usize = 100;
/// The period of basic monitoring; that of detailed monitoring is folded into it, so that a worker's
/// numbers stay comparable when somebody turns it on.
const PERIOD_SECS: i32 = 300;

/// One number of an instance.
struct Measure {
    namespace: &'static str,
    name: &'static str,
    statistic: &'static str,
    set: fn(&mut CloudWatchReading, f64),
}

/// What is asked for each instance.
///
/// Memory comes of the CloudWatch agent in the instance, and is found only under the dimension
/// `InstanceId` alone (the agent's `"aggregation_dimensions": [["InstanceId"]]`). Without agent or
/// without that setting CloudWatch has no data, and the reading has no memory.
/// Source: CloudWatch user guide, "Metrics collected by the CloudWatch agent".
const MEASURES: [Measure; 4] = [
    Measure {
        namespace: "AWS/EC2",
        name: "CPUUtilization",
        statistic: "Average",
        set: |reading, value| reading.cpu_percent = Some(value),
    },
    Measure {
        namespace: "CWAgent",
        name: "mem_used_percent",
        statistic: "Average",
        set: |reading, value| reading.memory_percent = Some(value),
    },
    Measure {
        namespace: "AWS/EC2",
        name: "NetworkIn",
        statistic: "Sum",
        set: |reading, value| reading.network_in_bytes = Some(value),
    },
    Measure {
        namespace: "AWS/EC2",
        name: "NetworkOut",
        statistic: "Sum",
        set: |reading, value| reading.network_out_bytes = Some(value),
    },
];

/// CloudWatch, through the client of each place.
#[derive(Clone, Debug)]
pub struct AwsCloudWatch {
    clients: Arc<FleetClients>,
}

impl AwsCloudWatch {
    /// CloudWatch through these clients.
    #[must_use]
    pub fn new(clients: Arc<FleetClients>) -> Self {
        Self { clients }
    }
}

#[async_trait]
impl CloudWatch for AwsCloudWatch {
    async fn metrics(&self, place: &Place, request: &MetricsRequest) -> Result<Vec<InstanceMetrics>, Ec2Error> {
        let client = self.clients.of(place).await?.cloudwatch;
        let mut metrics = Vec::with_capacity(request.instances.len());
        for instances in request.instances.chunks(QUERIES_MAX / MEASURES.len()) {
            let call = client
                .get_metric_data()
                .set_metric_data_queries(Some(queries(instances)))
                .start_time(date_time(request.from))
                .end_time(date_time(request.to))
                .scan_by(ScanBy::TimestampDescending);
            let mut pages = call.into_paginator().send();
            let mut newest = Newest::default();
            for _ in 0..PAGES_MAX {
                let Some(page) = pages.next().await else { break };
                let page = page.map_err(|error| ec2_error(OPERATION, error))?;
                page.metric_data_results.iter().flatten().for_each(|result| newest.add(result));
            }
            metrics.extend(newest.readings(instances));
        }
        Ok(metrics)
    }
}

/// The name of an answer's part: it must begin with a small letter.
fn query_id(instance: usize, measure: usize) -> String {
    format!("i{instance}m{measure}")
}

fn queries(instances: &[InstanceId]) -> Vec<MetricDataQuery> {
    let all = instances.iter().enumerate();
    all.flat_map(|(at, id)| MEASURES.iter().enumerate().map(move |(m, measure)| query(query_id(at, m), id, measure)))
        .collect()
}

fn query(id: String, instance: &InstanceId, measure: &Measure) -> MetricDataQuery {
    let dimension = Dimension::builder().name("InstanceId").value(instance.as_str()).build();
    let metric = Metric::builder().namespace(measure.namespace).metric_name(measure.name).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(PERIOD_SECS).stat(measure.statistic).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).return_data(true).build()
}

/// The newest value by query. The order asked for is not relied on: a page may begin anywhere.
#[derive(Default)]
struct Newest(BTreeMap<String, (DateTime, f64)>);

impl Newest {
    fn add(&mut self, result: &MetricDataResult) {
        let Some(id) = result.id() else { return };
        let values = result.timestamps().iter().copied().zip(result.values().iter().copied());
        for (at, value) in values.filter(|(_, value)| value.is_finite()) {
            match self.0.get_mut(id) {
                Some(newest) if newest.0 >= at => {}
                Some(newest) => *newest = (at, value),
                None => {
                    self.0.insert(id.to_owned(), (at, value));
                }
            }
        }
    }

    fn readings(&self, instances: &[InstanceId]) -> Vec<InstanceMetrics> {
        let reading = |(at, id): (usize, &InstanceId)| {
            let mut reading = CloudWatchReading::default();
            for (m, measure) in MEASURES.iter().enumerate() {
                if let Some((_, value)) = self.0.get(&query_id(at, m)) {
                    (measure.set)(&mut reading, *value);
                }
            }
            InstanceMetrics { id: id.clone(), reading }
        };
        instances.iter().enumerate().map(reading).collect()
    }
}

fn date_time(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}
