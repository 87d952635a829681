//! The client of the CML REST API, versions 2.8 to 2.11: one file per noun of CML's.
//!
//! A CML controller shows a self-signed certificate, so trust is by pin: its SHA-256 is told at the
//! first contact, and from then on no other certificate is accepted. Credentials are never sent
//! without a pin. A call that changes something is sent once. Everything read is bounded, and nothing it says is taken for granted: an unknown,
//! missing or broken field costs that one field.

mod auth;
mod cache;
mod call;
mod certificate;
mod client;
mod controller;
mod definitions;
mod errors;
mod json;
mod lab;
mod labs;
mod licensing;
mod listing;
mod nodes;
mod proxy;
mod simulation;
mod splitter;
mod system;
mod telemetry;
mod token;
mod topology;
mod transport;
mod users;

#[cfg(test)]
mod tests;

pub use client::CmlClient;
pub use transport::Timeouts;
