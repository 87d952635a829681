//! Event-driven functions that also reach CML controllers.

pub(crate) mod collect_cml;
pub(crate) mod collect_labs;
pub(crate) mod run_cml_operation;
