//! The HTTP API: the function table, one file per endpoint, authentication, roles, problems and the
//! OpenAPI document. What a request does is decided in `app`; here it is read and answered.

mod api;
mod auth;
mod body;
mod caller;
mod endpoints;
pub mod function;
mod incoming;
pub mod openapi;
pub mod problem;
pub mod request;
pub mod response;
pub mod serve;
pub mod table;
pub mod token;
pub mod wire;

pub use api::Api;
pub use caller::{Caller, Via};
pub use function::{Access, Endpoint, Function, Interval, Port, Trigger, Zone};
pub use incoming::Incoming;
pub use problem::Problem;
pub use request::Request;
pub use response::Response;
pub use table::{FUNCTIONS, find};
