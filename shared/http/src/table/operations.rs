//! What was asked for and takes time.

use super::row::{MACHINE_READ, MACHINE_USER, OPERATION_FILTER, USER, handler, http};
use crate::endpoints as e;
use crate::function::Function;

pub(super) const ROWS: &[Function] = &[
    http(
        "get-operation",
        ("GET", "/api/operations/{operation_id}"),
        "operations",
        MACHINE_USER,
        (200, Some("Operation")),
        handler!(get_operation),
        "One operation.",
    )
    .ports(MACHINE_READ),
    http(
        "list-operations",
        ("GET", "/api/operations"),
        "operations",
        USER,
        (200, Some("OperationList")),
        handler!(list_operations),
        "List operations, newest first.",
    )
    .query(OPERATION_FILTER),
];
