//! A table, queues and a bus, EC2 and CloudWatch, wherever they are.

use std::sync::Arc;

use app::ports::{CloudWatch, Ec2, Events, Queues, Table};

use crate::bus::EmbeddedBus;
use crate::queues::{DurableQueues, Source};
use crate::stream::Records;

/// The table's name.
pub(crate) const TABLE_NAME: &str = "cml-cloud-manager";

/// A table with its stream, queues and a bus.
pub(crate) struct Backend {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) stream: Arc<dyn Records>,
    pub(crate) events: Arc<dyn Events>,
    /// The queues and the bus, if they are in this process.
    pub(crate) embedded: Option<(DurableQueues, EmbeddedBus)>,
}

/// EC2 and its numbers.
pub(crate) struct Cloud {
    pub(crate) ec2: Arc<dyn Ec2>,
    pub(crate) cloudwatch: Arc<dyn CloudWatch>,
}
