//! The Lambda border: an event in, an answer out, both JSON. The binaries hold one zone each and
//! choose their function by Lambda's `Handler` setting; the local stack calls the same [`invoke`].

mod api;
mod cml;
mod deadline;
pub mod environment;
mod fleet;
mod http_event;
mod https;
mod invoke;
mod jwks;
mod oidc;
mod queue_event;
mod runtime;
mod system;
mod world;

pub use https::IssuerHttp;
pub use invoke::{invoke, invoke_within};
pub use jwks::HttpKeys;
pub use oidc::{OidcClient, OidcConfig};
pub use runtime::run;
pub use system::{OsRandom, SystemClock};
pub use world::{InvokeError, World};
