//! The function table: everything that is deployed, and nothing else.
//!
//! The gateway, the pump, the OpenAPI document, the role tests, the permissions and the template
//! all follow from it. A function that is not here does not exist.

mod row;

use app::ports::Queue;
use app::store::EVENT_PREFIX;

use crate::endpoints as e;
use crate::function::{Access, Function, Interval, Port, Trigger, Zone};
use row::{
    ADMIN, COMMAND, MACHINE_COMMAND, MACHINE_MANAGER, MACHINE_READ, MACHINE_USER, MANAGER, OPERATION, OPERATION_FILTER,
    PAGE, PERSON, SPAN, USER, WORKER, WORKER_FILTER, http,
};

macro_rules! handler {
    ($module:ident) => {
        |api, request| Box::pin(e::$module::handle(api, request))
    };
}

/// Every function.
pub static FUNCTIONS: &[Function] = &[
    // Workers
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
        "Terminate the instance and see it gone.",
    )
    .ports(COMMAND),
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
        "repin-certificate",
        ("POST", "/api/workers/{worker_id}/certificate"),
        "workers",
        ADMIN,
        WORKER,
        handler!(repin_certificate),
        "Trust the certificate that the controller shows next.",
    )
    .ports(&[Port::Issuer, Port::TableRead, Port::TableWrite]),
    // Power
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
    // Operations
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
    // Identity
    http(
        "login",
        ("GET", "/api/auth/login"),
        "identity",
        Access::Public,
        (302, None),
        handler!(login),
        "Sign in by browser: on to the identity provider.",
    )
    .query(&[("return_to", "The path of this site to come back to; / by default.")])
    .ports(&[Port::SignIn, Port::TableWrite]),
    http(
        "callback",
        ("GET", "/api/auth/callback"),
        "identity",
        Access::Public,
        (302, None),
        handler!(callback),
        "Back from the identity provider: the session begins.",
    )
    .query(&[
        ("state", "What the browser was sent there with."),
        ("code", "What the tokens are fetched with."),
        ("iss", "The issuer that sends the browser back."),
        ("error", "Why it sends no code."),
    ])
    .ports(&[Port::Issuer, Port::Seal, Port::SignIn, Port::TableRead, Port::TableWrite]),
    http(
        "refresh-session",
        ("POST", "/api/auth/refresh"),
        "identity",
        Access::Public,
        (200, Some("Session")),
        handler!(refresh_session),
        "Carry the browser's session on.",
    )
    .ports(&[Port::Issuer, Port::Seal, Port::SignIn, Port::TableRead, Port::TableWrite, Port::Unseal]),
    http(
        "logout",
        ("POST", "/api/auth/logout"),
        "identity",
        Access::Public,
        (200, Some("Logout")),
        handler!(logout),
        "End the browser's session, and tell where to sign out at the identity provider.",
    )
    .ports(&[Port::SignIn, Port::TableRead, Port::TableWrite, Port::Unseal]),
    http(
        "session",
        ("GET", "/api/auth/session"),
        "identity",
        Access::Public,
        (200, Some("Session")),
        handler!(session),
        "Who is signed in by browser, and for how long.",
    )
    .ports(&[Port::TableRead]),
    http(
        "whoami",
        ("GET", "/api/auth/me"),
        "identity",
        MACHINE_USER,
        (200, Some("Whoami")),
        handler!(whoami),
        "Who calls, and how they showed it.",
    )
    .ports(MACHINE_READ),
    http(
        "create-api-key",
        ("POST", "/api/api-keys"),
        "identity",
        PERSON,
        (201, Some("NewApiKey")),
        handler!(create_api_key),
        "Make an API key; it is shown once.",
    )
    .body("CreateApiKey")
    .ports(&[Port::Issuer, Port::Seal, Port::TableRead, Port::TableWrite]),
    http(
        "list-api-keys",
        ("GET", "/api/api-keys"),
        "identity",
        PERSON,
        (200, Some("ApiKeyList")),
        handler!(list_api_keys),
        "Your API keys, or all for an admin, newest first.",
    )
    .query(PAGE),
    http(
        "revoke-api-key",
        ("DELETE", "/api/api-keys/{key_id}"),
        "identity",
        PERSON,
        (204, None),
        handler!(revoke_api_key),
        "Revoke an API key: from now on it opens nothing.",
    )
    .ports(&[Port::Issuer, Port::TableRead, Port::TableWrite]),
    http(
        "rotate-api-key",
        ("POST", "/api/api-keys/{key_id}/rotate"),
        "identity",
        PERSON,
        (200, Some("NewApiKey")),
        handler!(rotate_api_key),
        "Give a signing key a new secret; the former one works for another day.",
    )
    .ports(&[Port::Issuer, Port::Seal, Port::TableRead, Port::TableWrite]),
    // System
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
    // Metrics collection
    Function {
        name: "dispatch-metrics",
        zone: Zone::Api,
        trigger: Trigger::Schedule { name: "MetricsCollectionSchedule", every: Interval::Metrics },
        ports: &[Port::Send(Queue::MetricsAws), Port::Send(Queue::MetricsCml), Port::TableRead],
        summary: "Fan metrics collection out over running workers, by account and region.",
    },
    Function {
        name: "collect-aws",
        zone: Zone::Fleet,
        trigger: Trigger::Queue { queue: Queue::MetricsAws, batch_size: 1, max_concurrency: 10 },
        ports: &[Port::CloudWatch, Port::Ec2Read, Port::Send(Queue::Power), Port::TableRead, Port::TableWrite],
        summary: "Read EC2 and CloudWatch of one account and region in bulk.",
    },
    Function {
        name: "collect-cml",
        zone: Zone::Cml,
        trigger: Trigger::Queue { queue: Queue::MetricsCml, batch_size: 1, max_concurrency: 10 },
        ports: &[Port::Cml, Port::SecretsRead, Port::TableRead, Port::TableWrite],
        summary: "Read CML's state and use from controllers.",
    },
    // Idle shutdown
    Function {
        name: "dispatch-power",
        zone: Zone::Api,
        trigger: Trigger::Schedule { name: "IdleShutdownSchedule", every: Interval::Minute },
        ports: &[
            Port::Send(Queue::Imports),
            Port::Send(Queue::Operations),
            Port::Send(Queue::Power),
            Port::TableRead,
            Port::TableWrite,
        ],
        summary: "Send what is due: power decisions, and operations that wait or were lost.",
    },
    Function {
        name: "control-power",
        zone: Zone::Fleet,
        trigger: Trigger::Queue { queue: Queue::Power, batch_size: 10, max_concurrency: 10 },
        ports: &[
            Port::Ec2Read,
            Port::Send(Queue::MetricsCml),
            Port::Send(Queue::Operations),
            Port::TableRead,
            Port::TableWrite,
        ],
        summary: "Decide what a worker's power should be, and start the operation that makes it so.",
    },
    // Commands
    Function {
        name: "run-operation",
        zone: Zone::Fleet,
        trigger: Trigger::Queue { queue: Queue::Operations, batch_size: 10, max_concurrency: 20 },
        ports: &[
            Port::Ec2Read,
            Port::Ec2Write,
            Port::Send(Queue::Imports),
            Port::Send(Queue::MetricsAws),
            Port::Send(Queue::MetricsCml),
            Port::TableRead,
            Port::TableWrite,
        ],
        summary: "Take an operation one step further.",
    },
    Function {
        name: "run-import",
        zone: Zone::Fleet,
        trigger: Trigger::Queue { queue: Queue::Imports, batch_size: 1, max_concurrency: 2 },
        ports: &[Port::Ec2Import, Port::Ec2Read, Port::Send(Queue::Operations), Port::TableRead, Port::TableWrite],
        summary: "Take an import one step further.",
    },
    // What happened, told to others
    Function {
        name: "publish-events",
        zone: Zone::Api,
        trigger: Trigger::Stream { sort_keys: EVENT_PREFIX, batch_size: 100 },
        ports: &[Port::Publish],
        summary: "Publish what was committed on the event bus.",
    },
    // EC2's own news
    Function {
        name: "record-instance-state",
        zone: Zone::Fleet,
        trigger: Trigger::Ec2StateChange,
        ports: &[
            Port::Ec2Read,
            Port::Send(Queue::Operations),
            Port::Send(Queue::Power),
            Port::TableRead,
            Port::TableWrite,
        ],
        summary: "Record what EC2 says happened to an instance, and hurry what waits for it.",
    },
];

/// The function of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}
