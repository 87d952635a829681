//! The HTTP API: the function table, one file per endpoint, authentication, roles, problems and the
//! OpenAPI document. What a request does is decided in `app`; here it is read and answered.

mod api;
pub mod auth;
mod body;
mod endpoints;
pub mod function;
pub mod openapi;
pub mod problem;
pub mod request;
pub mod response;
pub mod serve;
pub mod table;
pub mod wire;

pub use api::Api;
pub use function::{Access, Endpoint, Function, Interval, Port, Trigger, Zone};
pub use problem::Problem;
pub use request::{Caller, Request};
pub use response::Response;
pub use table::{FUNCTIONS, find};
