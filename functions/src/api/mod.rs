//! Event-driven functions that reach the table and the queues.

pub(crate) mod dispatch_metrics;
pub(crate) mod dispatch_power;
