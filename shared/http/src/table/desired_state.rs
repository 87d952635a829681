//! What is wanted, and what is done so that it becomes true.

use app::ports::{Queue, Sealed};

use super::row::{
    ADMIN, COMMAND, MACHINE_COMMAND, MACHINE_MANAGER, MACHINE_READ, MACHINE_USER, OPERATION, handler, http,
};
use crate::endpoints as e;
use crate::function::{Function, Port};

/// A termination begins at the controller; the rest is EC2's.
const MACHINE_COMMAND_ANYWHERE: &[Port] = &[
    Port::Issuer,
    Port::Send(Queue::CmlOperations),
    Port::Send(Queue::Operations),
    Port::TableRead,
    Port::TableWrite,
    Port::Unseal(Sealed::SigningSecret),
];

pub(super) const ROWS: &[Function] = &[
    http(
        "set-desired-state",
        ("PUT", "/api/workers/{worker_id}/desired-state"),
        "desired-state",
        MACHINE_MANAGER,
        OPERATION,
        handler!(set_desired_state),
        "Want a worker running, stopped or terminated; the last, in the safe way, takes an admin, who may also take it back.",
    )
    .body("SetDesiredState")
    .ports(MACHINE_COMMAND_ANYWHERE),
    http(
        "reconcile-worker",
        ("POST", "/api/workers/{worker_id}/reconcile"),
        "desired-state",
        MACHINE_MANAGER,
        OPERATION,
        handler!(reconcile_worker),
        "Judge a worker and its labs now; at most once in 10 seconds.",
    )
    .ports(MACHINE_COMMAND),
    http(
        "get-reconciliation-stats",
        ("GET", "/api/reconciliation/stats"),
        "desired-state",
        MACHINE_USER,
        (200, Some("ReconciliationStats")),
        handler!(get_reconciliation_stats),
        "What is not as it is wished, what was decided and done, and when the schedule last ran.",
    )
    .ports(MACHINE_READ),
    http(
        "trigger-reconciliation",
        ("POST", "/api/reconciliation/trigger"),
        "desired-state",
        ADMIN,
        OPERATION,
        handler!(trigger_reconciliation),
        "Judge every worker now; while such a run is going, that one is the answer.",
    )
    .ports(COMMAND),
];
