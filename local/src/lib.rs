//! The one-machine stack: gateway, event pump, embedded `DynamoDB` and queues, simulated EC2, CloudWatch
//! and CML controllers, and a sign-in, in one process. The functions in it are those that Lambda runs.

mod backend;
mod backend_aws;
mod bus;
mod clock;
mod cloud_aws;
mod demo;
mod dynamo;
mod error;
mod files;
mod gateway;
mod invoke;
mod levers;
mod oidc;
mod options;
mod problem;
mod pump;
mod queues;
mod routed_cml;
mod sealer;
mod secrets;
mod sign_in;
mod stack;
mod stream;

pub use error::StackError;
pub use oidc::{CLIENT_ID, KeyError};
pub use options::{Backend, Cloud, Options};
pub use stack::{ACCOUNT, Stack};
