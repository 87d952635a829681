//! Event-driven functions that reach the table, the queues and the bus.

pub(crate) mod dispatch_discovery;
pub(crate) mod dispatch_labs;
pub(crate) mod dispatch_metrics;
pub(crate) mod dispatch_power;
pub(crate) mod publish_events;
