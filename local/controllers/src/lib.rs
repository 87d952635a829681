//! The simulated CML controllers of the local stack: a real HTTPS server per running simulated
//! instance, speaking the REST API of CML 2.9 and 2.10 well enough for Cisco's own client.
//!
//! Labs, users, telemetry, licence and certificate are kept in the stack's documents and outlive it.
//! Boots and nodes go by fleet time, tokens by machine time.

mod actions;
mod api;
mod certificate;
mod failure;
mod faults;
mod fleet;
mod levers;
mod machine;
mod model;
mod server;
mod session;
mod store;
#[cfg(test)]
mod tests;

pub use faults::{ControllerFault, FaultOrder};
pub use fleet::{Access, Controllers, RunningInstance};
pub use model::ControllerVersion;
pub use model::licence::LICENCE_TOKEN;
pub use model::load::Load;
pub use model::{ADMIN_ID, ADMIN_PASSWORD, ADMIN_USERNAME, POLLER_PASSWORD, POLLER_USERNAME};
