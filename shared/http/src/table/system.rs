//! The product about itself.

use super::row::{MACHINE_READ, MACHINE_USER, handler, http};
use crate::endpoints as e;
use crate::function::{Access, Function, Port};

pub(super) const ROWS: &[Function] = &[
    http(
        "health",
        ("GET", "/api/health"),
        "system",
        Access::Public,
        (200, Some("Health")),
        handler!(health),
        "Whether the product works, and what it depends on.",
    )
    .ports(&[Port::TableRead]),
    http(
        "openapi",
        ("GET", "/api/openapi.json"),
        "system",
        Access::Public,
        (200, None),
        handler!(openapi),
        "The OpenAPI document.",
    )
    .ports(&[]),
    http(
        "docs",
        ("GET", "/api/docs"),
        "system",
        Access::Public,
        (200, None),
        handler!(docs),
        "A page to read and try the API.",
    )
    .ports(&[]),
    http(
        "fleet-metrics",
        ("GET", "/api/fleet/metrics"),
        "system",
        MACHINE_USER,
        (200, Some("FleetMetrics")),
        handler!(fleet_metrics),
        "The fleet in numbers.",
    )
    .ports(MACHINE_READ),
    http(
        "prometheus",
        ("GET", "/api/metrics"),
        "system",
        MACHINE_USER,
        (200, None),
        handler!(prometheus),
        "The same in Prometheus text.",
    )
    .ports(MACHINE_READ),
];
