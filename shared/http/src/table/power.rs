//! Why a worker is up, and what happens next.

use super::row::{MACHINE_READ, MACHINE_USER, handler, http};
use crate::endpoints as e;
use crate::function::Function;

pub(super) const ROWS: &[Function] = &[
    // A row stands on lines of its own, also when it is the only one.
    http(
        "get-worker-power",
        ("GET", "/api/workers/{worker_id}/power"),
        "power",
        MACHINE_USER,
        (200, Some("WorkerPower")),
        handler!(get_worker_power),
        "Why it is up, what happens next, and when.",
    )
    .ports(MACHINE_READ),
];
