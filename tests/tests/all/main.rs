//! Contract and integration tests: everything that needs more than one package.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy sees tests in #[test] functions only, not in their helpers"
)]

mod deployment;
mod events;
mod handlers;
mod labs;
mod queues;
mod run_log;
mod support;
mod table_contract;
mod use_cases;
#[cfg(feature = "wire")]
mod wire;
