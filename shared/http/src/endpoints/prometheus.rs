//! `GET /api/metrics`: the fleet in Prometheus text.

use std::fmt::Write;

use app::use_cases::fleet_summary::fleet_summary;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

use crate::wire::FleetMetrics;

/// Source: Prometheus documentation, "Exposition formats", text format 0.0.4.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let metrics = FleetMetrics::from(&fleet_summary(&api.context, &request.sight(api)?).await?);
    Ok(Response::text(CONTENT_TYPE, text(&metrics)))
}

fn text(metrics: &FleetMetrics) -> String {
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(String, u64)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP ccm_{name} {help}\n# TYPE ccm_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(out, "ccm_{name}{labels} {value}");
        }
    };
    let by_status: Vec<_> = metrics.by_status.iter().map(|(s, n)| (format!("{{status=\"{s}\"}}"), *n)).collect();
    let by_desired: Vec<_> =
        metrics.by_desired_state.iter().map(|(d, n)| (format!("{{desired_state=\"{d}\"}}"), *n)).collect();
    gauge("workers", "Workers by status.", &by_status);
    gauge("workers_desired", "Workers by wish, those not terminated.", &by_desired);
    gauge("workers_ready", "Workers that run and can be used.", &[(String::new(), metrics.ready)]);
    gauge("workers_idle", "Workers that run with nobody using them.", &[(String::new(), metrics.idle)]);
    gauge("labs", "Labs on running workers.", &[(String::new(), metrics.labs)]);
    gauge("running_nodes", "Nodes that run on them.", &[(String::new(), metrics.running_nodes)]);
    out
}
