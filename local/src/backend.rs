//! A table and queues, wherever they are.

use std::sync::Arc;

use app::ports::{Queues, Table};

use crate::queues::{DurableQueues, Source};

/// The table's name.
pub(crate) const TABLE_NAME: &str = "cml-cloud-manager";

/// A table and queues.
pub(crate) struct Backend {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) source: Arc<dyn Source>,
    /// The queues, if they are in this process.
    pub(crate) embedded: Option<DurableQueues>,
}
