//! What choices cost, with the source of each figure.

/// Metrics that EC2 publishes per instance and charges for under detailed monitoring.
/// Source: CloudWatch pricing, example "Monitoring with CloudWatch detailed monitoring" (7 metrics).
const DETAILED_MONITORING_METRICS: f64 = 7.0;

/// US dollars per custom metric and month in the first tier.
/// Source: CloudWatch pricing, metrics, first 10,000, us-east-1.
const METRIC_USD_PER_MONTH: f64 = 0.30;

/// What EC2 detailed monitoring costs for one instance that runs a whole month, in US dollars.
#[must_use]
pub fn detailed_monitoring_usd_per_month() -> f64 {
    (DETAILED_MONITORING_METRICS * METRIC_USD_PER_MONTH * 100.0).round() / 100.0
}
