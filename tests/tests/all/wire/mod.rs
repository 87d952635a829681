//! What is true on the wire only: against emulators and with release binaries. `make test-all` sets
//! up what these tests need and tells them where it is by variables that begin with `WIRE_`.

mod cloudwatch;
mod cognito;
mod ec2;
mod events;
mod fault_proxy;
mod faults;
mod files;
mod keycloak;
mod lambda;
mod log_search;
mod queues;
mod runtime_api;
mod sign_in;
mod starting;
mod sts;
mod table;

/// A variable that `make test-all` sets.
#[expect(clippy::disallowed_methods, reason = "a test reads what its runner set up")]
fn set_up(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run these tests with `make test-all`"))
}
