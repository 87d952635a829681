//! The table, the queues and the bus on AWS: DynamoDB, SQS and EventBridge behind the ports of `app`;
//! with the feature `secrets` also CML credentials in Secrets Manager, with `kms` the sealing of what
//! only we may read, and with `files` topologies and backups in S3.
//!
//! Only small SDKs are linked here, so that the functions that need nothing else start fast.

mod attempts;
mod attributes;
mod conditions;
mod config;
pub mod envelope;
mod error;
mod events;
#[cfg(feature = "files")]
mod files;
mod item;
#[cfg(feature = "kms")]
mod kms;
mod position;
mod queues;
mod schema;
#[cfg(feature = "secrets")]
mod secrets;
mod table;

pub use config::{sdk_config, sdk_config_for};
pub use events::EventBridgeEvents;
#[cfg(feature = "files")]
pub use files::S3Files;
#[cfg(feature = "kms")]
pub use kms::KmsSealer;
pub use queues::SqsQueues;
pub use schema::create_table;
#[cfg(feature = "secrets")]
pub use secrets::SecretsManagerSecrets;
pub use table::DynamoTable;
