//! The queues: SQS, as far as senders need it. Receiving is Lambda's (or the local pump's) work.

use async_trait::async_trait;
use domain::operation::Task;

use super::error::PortError;

/// Every queue there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Commands on workers, to run-operation.
    Operations,
    /// Imports of instances, to run-import.
    Imports,
    /// What is done at CML controllers, to run-cml-operation.
    CmlOperations,
    /// Labs to read, to collect-labs.
    Labs,
    /// Readings of EC2 and CloudWatch, to collect-aws.
    MetricsAws,
    /// Readings of CML, to collect-cml.
    MetricsCml,
    /// Places to look at for instances that nobody manages, to discover-instances.
    Discovery,
    /// Power decisions, to control-power; FIFO, one group a worker.
    Power,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 8] = [
        Self::Operations,
        Self::Imports,
        Self::CmlOperations,
        Self::Labs,
        Self::MetricsAws,
        Self::MetricsCml,
        Self::Discovery,
        Self::Power,
    ];

    /// Its name in the function table, in templates and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Imports => "imports",
            Self::CmlOperations => "cml-operations",
            Self::Labs => "labs",
            Self::MetricsAws => "metrics-aws",
            Self::MetricsCml => "metrics-cml",
            Self::Discovery => "discovery",
            Self::Power => "power",
        }
    }

    /// The queue of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }

    /// Where an operation is sent: an import may tag instances that are not ours, and whoever may do
    /// that may do nothing else to an instance.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        match task {
            Task::ImportWorkers(_) => Self::Imports,
            Task::RefreshLabs
            | Task::ActOnLab(_)
            | Task::ImportLab(_)
            | Task::BackUpLab(_)
            | Task::RegisterLicense(_)
            | Task::RenewLicense(_)
            | Task::DeregisterLicense
            | Task::PostNotice(_)
            | Task::RetireWorker(_) => Self::CmlOperations,
            Task::CreateWorker
            | Task::StartWorker
            | Task::StopWorker
            | Task::TerminateWorker
            | Task::RefreshWorker
            | Task::SetMonitoring { .. }
            | Task::UpdateTags { .. }
            | Task::ReconcileWorker
            | Task::ReconcileFleet(_) => Self::Operations,
        }
    }

    /// Whether it keeps order within a group and drops repeated messages for five minutes.
    #[must_use]
    pub fn is_fifo(self) -> bool {
        matches!(self, Self::Power)
    }
}

/// A message to send. `group` and `deduplication_id` count for FIFO queues only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The body, JSON.
    pub body: String,
    /// Messages of one group are delivered in order, one after the other.
    pub group: Option<String>,
    /// A second message of the same id within five minutes is dropped.
    pub deduplication_id: Option<String>,
}

/// The queues.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends all messages, in batches. On an error some may have been sent: consumers are idempotent,
    /// and what was lost is sent again by the next tick.
    async fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Result<(), PortError>;
}
