//! Why the stack cannot start.

use app::ports::PortError;
use local_state::StateError;

use crate::oidc::KeyError;

/// The stack cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A file or a port cannot be had.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The port is taken or not allowed.
    #[error("port {port} of 127.0.0.1 cannot be used: {source}; choose another with --port")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// Another stack uses the same data.
    #[error("another stack is running on the data in {0}")]
    InUse(String),
    /// What was kept cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The table or the queues cannot be had.
    #[error(transparent)]
    Adapter(#[from] PortError),
    /// The issuer cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The issuer that was given cannot be used.
    #[error("the issuer {issuer} cannot be used: {source}; give --issuer as its tokens spell it")]
    Issuer {
        /// Its address.
        issuer: String,
        /// Why.
        source: PortError,
    },
    /// Something else.
    #[error("{0}")]
    Start(String),
}
