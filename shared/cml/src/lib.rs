//! The client of the CML REST API, versions 2.8 to 2.11: one file per noun of CML's.
//!
//! A CML controller shows a self-signed certificate, so trust is by pin: its SHA-256 is told at the
//! first contact, and from then on no other certificate is accepted. Credentials are never sent
//! without a pin. Everything read is bounded, and nothing it says is taken for granted: an unknown,
//! missing or broken field costs that one field.

mod auth;
mod cache;
mod certificate;
mod client;
mod errors;
mod json;
mod labs;
mod licensing;
mod splitter;
mod system;
mod telemetry;
mod transport;

#[cfg(test)]
mod tests;

pub use client::CmlClient;
pub use transport::Timeouts;
