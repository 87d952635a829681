//! The table and the queues on AWS: DynamoDB and SQS behind the ports of `app`.
//!
//! Only the two small SDKs are linked here, so that the functions that need nothing else start fast.

mod attributes;
mod conditions;
mod config;
mod error;
mod item;
mod position;
mod queues;
mod schema;
mod table;

pub use config::{sdk_config, sdk_config_for};
pub use queues::SqsQueues;
pub use schema::create_table;
pub use table::DynamoTable;
