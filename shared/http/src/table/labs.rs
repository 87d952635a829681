//! Labs: what is read of them and done to them.

use app::ports::{FileKind, Queue, Sealed};

use super::row::{MACHINE_READ, MACHINE_USER, MANAGER, OPERATION, PAGE, Parameter, USER, handler, http};
use crate::endpoints as e;
use crate::function::{Function, Port, Zone};

const TITLE: &[Parameter] = &[("title", "The lab's title, 1 to 64 characters; the topology's own by default.")];
/// What every command needs whose operation is done at a controller.
const COMMAND: &[Port] = &[Port::Issuer, Port::Send(Queue::CmlOperations), Port::TableRead, Port::TableWrite];
/// The same where machines may sign their requests.
const MACHINE_COMMAND: &[Port] = &[
    Port::Issuer,
    Port::Send(Queue::CmlOperations),
    Port::TableRead,
    Port::TableWrite,
    Port::Unseal(Sealed::SigningSecret),
];
/// What reading at a controller needs.
const LIVE_READ: &[Port] = &[Port::Cml, Port::CredentialUse, Port::Issuer, Port::SecretsRead, Port::TableRead];

pub(super) const ROWS: &[Function] = &[
    http(
        "list-labs",
        ("GET", "/api/labs"),
        "labs",
        MACHINE_USER,
        (200, Some("LabList")),
        handler!(list_labs),
        "List the labs of all workers, by title, as they were read last.",
    )
    .query(PAGE)
    .ports(MACHINE_READ),
    http(
        "list-worker-labs",
        ("GET", "/api/workers/{worker_id}/labs"),
        "labs",
        MACHINE_USER,
        (200, Some("LabList")),
        handler!(list_worker_labs),
        "List a worker's labs as they were read last.",
    )
    .query(PAGE)
    .ports(MACHINE_READ),
    http(
        "get-lab",
        ("GET", "/api/workers/{worker_id}/labs/{lab_id}"),
        "labs",
        USER,
        (200, Some("Lab")),
        handler!(get_lab),
        "One lab, with its nodes and links as they are now when the controller answers in time.",
    )
    .zone(Zone::Cml)
    .ports(LIVE_READ),
    http(
        "download-lab",
        ("GET", "/api/workers/{worker_id}/labs/{lab_id}/download"),
        "labs",
        USER,
        (200, None),
        handler!(download_lab),
        "The lab's topology as YAML, with the configurations that are stored.",
    )
    .zone(Zone::Cml)
    .ports(LIVE_READ),
    http(
        "import-lab",
        ("POST", "/api/workers/{worker_id}/labs"),
        "labs",
        MANAGER,
        OPERATION,
        handler!(import_lab),
        "Make a lab of a topology, YAML or JSON, at most 4 MiB.",
    )
    .topology("Topology")
    .query(TITLE)
    .zone(Zone::Cml)
    .ports(&[
        Port::FilesDelete(FileKind::Topology),
        Port::FilesWrite(FileKind::Topology),
        Port::Issuer,
        Port::Send(Queue::CmlOperations),
        Port::TableRead,
        Port::TableWrite,
    ]),
    http(
        "refresh-labs",
        ("POST", "/api/workers/{worker_id}/labs/refresh"),
        "labs",
        MANAGER,
        OPERATION,
        handler!(refresh_labs),
        "Read the worker's labs now; at most once in 10 seconds.",
    )
    .ports(COMMAND),
    http(
        "update-lab",
        ("PATCH", "/api/workers/{worker_id}/labs/{lab_id}"),
        "labs",
        USER,
        OPERATION,
        handler!(update_lab),
        "Change title, description or notes; absent fields stay. Users only their own.",
    )
    .body("UpdateLab")
    .ports(COMMAND),
    http(
        "delete-lab",
        ("DELETE", "/api/workers/{worker_id}/labs/{lab_id}"),
        "labs",
        USER,
        OPERATION,
        handler!(delete_lab),
        "Delete a lab, which must be stopped and wiped. Users only their own.",
    )
    .ports(COMMAND),
    http(
        "start-lab",
        ("POST", "/api/workers/{worker_id}/labs/{lab_id}/start"),
        "labs",
        MACHINE_USER,
        OPERATION,
        handler!(start_lab),
        "Start all nodes and see them booted. Users only their own labs.",
    )
    .ports(MACHINE_COMMAND),
    http(
        "stop-lab",
        ("POST", "/api/workers/{worker_id}/labs/{lab_id}/stop"),
        "labs",
        MACHINE_USER,
        OPERATION,
        handler!(stop_lab),
        "Stop all nodes and see them stopped. Users only their own labs.",
    )
    .ports(MACHINE_COMMAND),
    http(
        "wipe-lab",
        ("POST", "/api/workers/{worker_id}/labs/{lab_id}/wipe"),
        "labs",
        USER,
        OPERATION,
        handler!(wipe_lab),
        "Wipe the disks of all nodes, which must be stopped. Users only their own labs.",
    )
    .ports(COMMAND),
];
