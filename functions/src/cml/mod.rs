//! Event-driven functions that also reach CML controllers.

pub(crate) mod collect_cml;
