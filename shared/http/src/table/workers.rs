//! Workers: what is done to them and read of them.

use app::ports::{FileKind, Queue};

use super::row::{
    ADMIN, COMMAND, MACHINE_COMMAND, MACHINE_MANAGER, MACHINE_READ, MACHINE_USER, MANAGER, OPERATION, PAGE,
    PERSON_MANAGER, SPAN, USER, WORKER, WORKER_FILTER, handler, http,
};
use crate::endpoints as e;
use crate::function::{Function, Port, Zone};

pub(super) const ROWS: &[Function] = &[
    http(
        "create-worker",
        ("POST", "/api/workers"),
        "workers",
        ADMIN,
        OPERATION,
        handler!(create_worker),
        "Create a worker and launch its instance.",
    )
    .body("CreateWorker")
    .ports(COMMAND),
    http(
        "import-workers",
        ("POST", "/api/workers/import"),
        "workers",
        ADMIN,
        OPERATION,
        handler!(import_workers),
        "Take existing EC2 instances under management.",
    )
    .body("ImportWorkers")
    .ports(&[Port::Issuer, Port::Send(Queue::Imports), Port::TableRead, Port::TableWrite]),
    http(
        "discover-workers",
        ("POST", "/api/discovered-instances/refresh"),
        "workers",
        ADMIN,
        (200, Some("DiscoveryAsked")),
        handler!(discover_workers),
        "Look for instances that nobody manages now; at most once in 10 seconds.",
    )
    .ports(&[Port::Issuer, Port::Send(Queue::Discovery), Port::TableRead, Port::TableWrite]),
    http(
        "list-discovered-instances",
        ("GET", "/api/discovered-instances"),
        "workers",
        MANAGER,
        (200, Some("DiscoveredInstanceList")),
        handler!(list_discovered_instances),
        "List CML instances that no worker stands for, and the places that are looked at.",
    )
    .query(PAGE),
    http(
        "list-workers",
        ("GET", "/api/workers"),
        "workers",
        MACHINE_USER,
        (200, Some("WorkerList")),
        handler!(list_workers),
        "List workers.",
    )
    .query(WORKER_FILTER)
    .ports(MACHINE_READ),
    http(
        "get-worker",
        ("GET", "/api/workers/{worker_id}"),
        "workers",
        MACHINE_USER,
        WORKER,
        handler!(get_worker),
        "One worker, with its latest readings.",
    )
    .ports(MACHINE_READ),
    http(
        "update-worker",
        ("PATCH", "/api/workers/{worker_id}"),
        "workers",
        MANAGER,
        WORKER,
        handler!(update_worker),
        "Change name, owner, tags, idle policy or CML address; absent fields stay.",
    )
    .body("UpdateWorker")
    .ports(COMMAND),
    http(
        "terminate-worker",
        ("DELETE", "/api/workers/{worker_id}"),
        "workers",
        ADMIN,
        OPERATION,
        handler!(terminate_worker),
        "Save its labs, give its seats back, terminate it and see it gone.",
    )
    .query(&[
        ("force", "`true` terminates at once, with all that is on it and its seats; needs a reason."),
        ("reason", "Why by force, 1 to 200 characters; the event tells it."),
    ])
    .ports(&[
        Port::Issuer,
        Port::Send(Queue::CmlOperations),
        Port::Send(Queue::Operations),
        Port::TableRead,
        Port::TableWrite,
    ]),
    http(
        "start-worker",
        ("POST", "/api/workers/{worker_id}/start"),
        "workers",
        MACHINE_MANAGER,
        OPERATION,
        handler!(start_worker),
        "Start it and see it run.",
    )
    .ports(MACHINE_COMMAND),
    http(
        "stop-worker",
        ("POST", "/api/workers/{worker_id}/stop"),
        "workers",
        MACHINE_MANAGER,
        OPERATION,
        handler!(stop_worker),
        "Stop it and see it stopped.",
    )
    .optional_body("StopWorker")
    .ports(MACHINE_COMMAND),
    http(
        "refresh-worker",
        ("POST", "/api/workers/{worker_id}/refresh"),
        "workers",
        MACHINE_MANAGER,
        OPERATION,
        handler!(refresh_worker),
        "Read its metrics now; at most once in 10 seconds.",
    )
    .ports(MACHINE_COMMAND),
    http(
        "set-worker-monitoring",
        ("PUT", "/api/workers/{worker_id}/monitoring"),
        "workers",
        ADMIN,
        OPERATION,
        handler!(set_worker_monitoring),
        "Turn EC2 detailed monitoring on or off; the result tells its monthly cost.",
    )
    .body("SetMonitoring")
    .ports(COMMAND),
    http(
        "get-worker-metrics",
        ("GET", "/api/workers/{worker_id}/metrics"),
        "workers",
        USER,
        (200, Some("SampleList")),
        handler!(get_worker_metrics),
        "The history of its readings.",
    )
    .query(SPAN),
    http(
        "list-worker-events",
        ("GET", "/api/workers/{worker_id}/events"),
        "workers",
        USER,
        (200, Some("EventList")),
        handler!(list_worker_events),
        "What happened to it, newest first.",
    )
    .query(PAGE),
    http(
        "list-evidence",
        ("GET", "/api/workers/{worker_id}/evidence"),
        "workers",
        MANAGER,
        (200, Some("EvidenceList")),
        handler!(list_evidence),
        "List what was kept of its failures, the newest first.",
    )
    .query(PAGE),
    http(
        "download-evidence",
        ("GET", "/api/workers/{worker_id}/evidence/{evidence_id}"),
        "workers",
        PERSON_MANAGER,
        (200, None),
        handler!(download_evidence),
        "A text kept of a failure; it may hold secrets, so only people read it, and no API key.",
    )
    .zone(Zone::Cml)
    .ports(&[Port::FilesRead(FileKind::Evidence), Port::Issuer, Port::TableRead]),
    http(
        "set-cml-credentials",
        ("PUT", "/api/workers/{worker_id}/cml-credentials"),
        "workers",
        ADMIN,
        (204, None),
        handler!(set_cml_credentials),
        "Set the worker's own CML user and password; write-only.",
    )
    .body("SetCmlCredentials")
    .zone(Zone::Cml)
    .ports(&[Port::Issuer, Port::SecretsWrite, Port::TableRead, Port::TableWrite]),
    http(
        "set-fleet-cml-credentials",
        ("PUT", "/api/cml-credentials"),
        "workers",
        ADMIN,
        (204, None),
        handler!(set_fleet_cml_credentials),
        "Set the CML user and password for workers without their own; write-only.",
    )
    .body("SetCmlCredentials")
    .zone(Zone::Cml)
    .ports(&[Port::Issuer, Port::SecretsWrite, Port::TableRead]),
    http(
        "repin-certificate",
        ("POST", "/api/workers/{worker_id}/certificate"),
        "workers",
        ADMIN,
        WORKER,
        handler!(repin_certificate),
        "Trust the certificate that the controller shows next.",
    )
    .ports(&[Port::Issuer, Port::TableRead, Port::TableWrite]),
];
