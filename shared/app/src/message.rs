//! What goes over the queues: ids, never states. A consumer reads what is true when it works.
//!
//! Every message carries its schema version; a consumer of a later version still reads this one.

use domain::{OperationId, Place, WorkerId};
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::ports::{Outgoing, PortError};

/// The version written today.
const SCHEMA: u32 = 1;

/// A message, with its version.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope<T> {
    schema: u32,
    #[serde(flatten)]
    message: T,
}

/// To run-operation or run-import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOperation {
    /// Which operation.
    pub operation_id: OperationId,
}

/// To control-power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPower {
    /// Which worker.
    pub worker_id: WorkerId,
}

/// To collect-aws: workers of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectAws {
    /// The place.
    pub place: Place,
    /// The workers, at most 500.
    pub worker_ids: Vec<WorkerId>,
}

/// To discover-instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverInstances {
    /// Where.
    pub place: Place,
}

/// To collect-cml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectCml {
    /// The workers, at most 25.
    pub worker_ids: Vec<WorkerId>,
}

/// To collect-labs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectLabs {
    /// The workers, at most 10.
    pub worker_ids: Vec<WorkerId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OperationWire {
    operation_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct PowerWire {
    worker_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct AwsWire {
    account_id: String,
    region: String,
    worker_ids: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PlaceWire {
    account_id: String,
    region: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct CmlWire {
    worker_ids: Vec<String>,
}

/// A message body that can be written and read.
pub trait Message: Sized {
    /// The body.
    fn body(&self) -> String;

    /// Reads a body.
    ///
    /// # Errors
    /// [`AppError::Corrupt`]: the message is not one of ours and never will be.
    fn read(body: &str) -> Result<Self, AppError>;

    /// The message to send on a standard queue.
    fn outgoing(&self) -> Outgoing {
        Outgoing { body: self.body(), group: None, deduplication_id: None }
    }
}

impl Message for RunOperation {
    fn body(&self) -> String {
        write(OperationWire { operation_id: self.operation_id.to_string() })
    }

    fn read(body: &str) -> Result<Self, AppError> {
        let wire: OperationWire = parse(body)?;
        Ok(Self { operation_id: wire.operation_id.parse().map_err(unreadable)? })
    }
}

impl Message for ControlPower {
    fn body(&self) -> String {
        write(PowerWire { worker_id: self.worker_id.to_string() })
    }

    fn read(body: &str) -> Result<Self, AppError> {
        let wire: PowerWire = parse(body)?;
        Ok(Self { worker_id: wire.worker_id.parse().map_err(unreadable)? })
    }
}

impl Message for CollectAws {
    fn body(&self) -> String {
        write(AwsWire {
            account_id: self.place.account.to_string(),
            region: self.place.region.to_string(),
            worker_ids: self.worker_ids.iter().map(WorkerId::to_string).collect(),
        })
    }

    fn read(body: &str) -> Result<Self, AppError> {
        let wire: AwsWire = parse(body)?;
        Ok(Self {
            place: Place {
                account: wire.account_id.parse().map_err(unreadable)?,
                region: wire.region.parse().map_err(unreadable)?,
            },
            worker_ids: worker_ids(&wire.worker_ids)?,
        })
    }
}

impl Message for DiscoverInstances {
    fn body(&self) -> String {
        write(PlaceWire { account_id: self.place.account.to_string(), region: self.place.region.to_string() })
    }

    fn read(body: &str) -> Result<Self, AppError> {
        let wire: PlaceWire = parse(body)?;
        let account = wire.account_id.parse().map_err(unreadable)?;
        Ok(Self { place: Place { account, region: wire.region.parse().map_err(unreadable)? } })
    }
}

impl Message for CollectCml {
    fn body(&self) -> String {
        write(CmlWire { worker_ids: self.worker_ids.iter().map(WorkerId::to_string).collect() })
    }

    fn read(body: &str) -> Result<Self, AppError> {
        let wire: CmlWire = parse(body)?;
        Ok(Self { worker_ids: worker_ids(&wire.worker_ids)? })
    }
}

impl Message for CollectLabs {
    fn body(&self) -> String {
        write(CmlWire { worker_ids: self.worker_ids.iter().map(WorkerId::to_string).collect() })
    }

    fn read(body: &str) -> Result<Self, AppError> {
        let wire: CmlWire = parse(body)?;
        Ok(Self { worker_ids: worker_ids(&wire.worker_ids)? })
    }
}

fn worker_ids(texts: &[String]) -> Result<Vec<WorkerId>, AppError> {
    texts.iter().map(|text| text.parse().map_err(unreadable)).collect()
}

fn write<T: Serialize>(message: T) -> String {
    // Structs of strings always serialise.
    serde_json::to_string(&Envelope { schema: SCHEMA, message }).unwrap_or_default()
}

fn parse<T: for<'a> Deserialize<'a>>(body: &str) -> Result<T, AppError> {
    serde_json::from_str::<Envelope<T>>(body).map(|envelope| envelope.message).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> AppError {
    AppError::Corrupt(PortError::new("message", error.to_string()))
}
