//! Smart Licensing of workers.

use app::ports::Queue;

use super::row::{ADMIN, OPERATION, USER, handler, http};
use crate::endpoints as e;
use crate::function::{Function, Port, Zone};

/// What every command needs whose operation is done at a controller.
const COMMAND: &[Port] = &[Port::Issuer, Port::Send(Queue::CmlOperations), Port::TableRead, Port::TableWrite];

pub(super) const ROWS: &[Function] = &[
    http(
        "get-license",
        ("GET", "/api/workers/{worker_id}/license"),
        "license",
        USER,
        (200, Some("WorkerLicense")),
        handler!(get_license),
        "Its licence, seats and what to be warned of: from the controller, or as read last.",
    )
    .zone(Zone::Cml)
    .ports(&[Port::Cml, Port::CredentialUse, Port::Issuer, Port::SecretsRead, Port::TableRead]),
    http(
        "register-license",
        ("PUT", "/api/workers/{worker_id}/license"),
        "license",
        ADMIN,
        OPERATION,
        handler!(register_license),
        "Register it with Smart Licensing and see it in compliance; the token is write-only.",
    )
    .body("RegisterLicense")
    .zone(Zone::Cml)
    .ports(&[Port::Issuer, Port::Send(Queue::CmlOperations), Port::TableRead, Port::TableWrite, Port::TokensWrite]),
    http(
        "renew-license",
        ("POST", "/api/workers/{worker_id}/license/renew"),
        "license",
        ADMIN,
        OPERATION,
        handler!(renew_license),
        "Renew its registration and authorization.",
    )
    .ports(COMMAND),
    http(
        "deregister-license",
        ("DELETE", "/api/workers/{worker_id}/license"),
        "license",
        ADMIN,
        OPERATION,
        handler!(deregister_license),
        "Give its seats back; no node may run.",
    )
    .ports(COMMAND),
];
