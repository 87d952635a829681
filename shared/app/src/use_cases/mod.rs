//! One file per use case. Each reads what is true, judges with the domain, writes, and returns.

pub mod change;
pub mod collect_aws;
pub mod collect_cml;
pub mod command;
pub mod control_power;
pub mod create_worker;
pub mod dispatch_metrics;
pub mod dispatch_power;
pub mod endpoint;
pub mod fleet_summary;
pub mod import_workers;
pub mod instance;
pub mod launch;
pub mod list_operations;
pub mod publish_events;
pub mod read_workers;
pub mod record_instance_state;
pub mod refresh_worker;
pub mod run_operation;
pub mod set_cml_credentials;
pub mod update_worker;
pub mod worker_commands;
