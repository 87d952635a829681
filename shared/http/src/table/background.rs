//! What no request starts: schedules, queues, the stream, and notifications.

use app::ports::{FileKind, Queue};
use app::store::EVENT_PREFIX;

use crate::function::{Function, Interval, Port, Trigger, Zone};

pub(super) const ROWS: &[Function] = &[
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
    // Discovery
    Function {
        name: "dispatch-discovery",
        zone: Zone::Api,
        trigger: Trigger::Schedule { name: "DiscoverySchedule", every: Interval::Metrics },
        ports: &[Port::Send(Queue::Discovery), Port::TableRead],
        summary: "Fan the search for instances that nobody manages out, by account and region.",
    },
    Function {
        name: "discover-instances",
        zone: Zone::Fleet,
        trigger: Trigger::Queue { queue: Queue::Discovery, batch_size: 1, max_concurrency: 5 },
        ports: &[Port::Ec2Read, Port::TableRead, Port::TableWrite],
        summary: "Look for CML instances of one account and region that no worker stands for.",
    },
    // Labs
    Function {
        name: "dispatch-labs",
        zone: Zone::Api,
        trigger: Trigger::Schedule { name: "LabsRefreshSchedule", every: Interval::Labs },
        ports: &[Port::Send(Queue::Labs), Port::TableRead],
        summary: "Fan the reading of labs out over running workers.",
    },
    Function {
        name: "collect-labs",
        zone: Zone::Cml,
        trigger: Trigger::Queue { queue: Queue::Labs, batch_size: 1, max_concurrency: 5 },
        ports: &[Port::Cml, Port::SecretsRead, Port::Send(Queue::CmlOperations), Port::TableRead, Port::TableWrite],
        summary: "Read the labs of controllers, and start or stop those that are not as they are wished.",
    },
    // Idle shutdown
    Function {
        name: "dispatch-power",
        zone: Zone::Api,
        trigger: Trigger::Schedule { name: "IdleShutdownSchedule", every: Interval::Minute },
        ports: &[
            Port::Send(Queue::CmlOperations),
            Port::Send(Queue::Imports),
            Port::Send(Queue::Labs),
            Port::Send(Queue::Operations),
            Port::Send(Queue::Power),
            Port::TableRead,
            Port::TableWrite,
        ],
        summary: "Send what is due: power decisions, labs to be judged, and operations that wait or were lost.",
    },
    Function {
        name: "control-power",
        zone: Zone::Fleet,
        trigger: Trigger::Queue { queue: Queue::Power, batch_size: 10, max_concurrency: 10 },
        ports: &[
            Port::Ec2Console,
            Port::Ec2Read,
            Port::FilesWrite(FileKind::Evidence),
            Port::Send(Queue::CmlOperations),
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
            Port::Ec2Console,
            Port::Ec2Read,
            Port::Ec2Write,
            Port::FilesWrite(FileKind::Evidence),
            Port::Send(Queue::Imports),
            Port::Send(Queue::Labs),
            Port::Send(Queue::MetricsAws),
            Port::Send(Queue::MetricsCml),
            Port::Send(Queue::Power),
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
    Function {
        name: "run-cml-operation",
        zone: Zone::Cml,
        trigger: Trigger::Queue { queue: Queue::CmlOperations, batch_size: 5, max_concurrency: 10 },
        ports: &[
            Port::Cml,
            Port::FilesRead(FileKind::Backup),
            Port::FilesRead(FileKind::Topology),
            Port::FilesWrite(FileKind::Backup),
            Port::FilesWrite(FileKind::Evidence),
            Port::FilesDelete(FileKind::Backup),
            Port::FilesDelete(FileKind::Topology),
            Port::SecretsRead,
            Port::Send(Queue::Operations),
            Port::TableRead,
            Port::TableWrite,
            Port::TokensUse,
        ],
        summary: "Take an operation at a CML controller one step further.",
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
