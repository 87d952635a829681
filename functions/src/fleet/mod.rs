//! Event-driven functions that also reach EC2 and CloudWatch.

pub(crate) mod collect_aws;
pub(crate) mod control_power;
pub(crate) mod discover_instances;
pub(crate) mod record_instance_state;
pub(crate) mod run_import;
pub(crate) mod run_operation;
