//! wip
pub mod clock; pub mod options; pub(crate) mod problem; pub mod queues; pub mod secrets; pub mod oidc;
pub(crate) mod gateway { pub(crate) mod event; pub(crate) mod route; }
