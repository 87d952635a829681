//! Which operation is, or was last, to end a worker: of all its operations, the one that others must know of.

use domain::{OperationId, WorkerId};
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, Write};

/// The operation that ends a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which.
    pub operation_id: OperationId,
    /// How far that is.
    pub stage: EndingStage,
    /// Counts its writes.
    pub version: u64,
}

/// How far the end of a worker is. Whoever takes it back and whoever wishes the worker gone write it: of the two one
/// comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingStage {
    /// It may be taken back.
    #[default]
    Begun,
    /// Somebody took it back; its operation ends when it hears of it.
    TakenBack,
    /// The worker is wished gone.
    HandedOver,
}

/// A change of the end of a worker, written together with what it is about.
#[derive(Clone, Copy, Debug)]
pub enum EndingChange {
    /// The commit's operation ends the worker, in place of one of this version; 0 where there was none.
    Begun(WorkerId, u64),
    /// The one of this version has come to this stage.
    Is(WorkerId, Ending),
}

impl EndingChange {
    /// The write; it holds where nobody wrote it since it was read. Null where it is about an operation, and there is
    /// none.
    pub(super) fn write(&self, begun: Option<OperationId>) -> Option<Write> {
        let (worker, ending) = match *self {
            Self::Begun(worker, version) => {
                (worker, Ending { operation_id: begun?, stage: EndingStage::Begun, version })
            }
            Self::Is(worker, ending) => (worker, ending),
        };
        let before = ending.version;
        let condition = if before == 0 { Condition::NotExists } else { Condition::Version(before) };
        Some(Write::Put(ending_item(worker, &Ending { version: before + 1, ..ending }), condition))
    }
}

#[derive(Serialize, Deserialize)]
struct EndingRecord {
    schema: u32,
    operation_id: String,
    #[serde(default)]
    stage: EndingStage,
}

impl Store {
    /// The operation that ends, or was last to end, the worker.
    ///
    /// # Errors
    /// The table failed.
    pub async fn ending(&self, worker: WorkerId) -> Result<Option<Ending>, AppError> {
        let Some(item) = self.table.get(&keys::ending(worker)).await? else { return Ok(None) };
        let record: EndingRecord = record::read(&item)?;
        Ok(Some(Ending {
            operation_id: record.operation_id.parse().map_err(record::bad_field)?,
            stage: record.stage,
            version: item.version.unwrap_or(0),
        }))
    }
}

fn ending_item(worker: WorkerId, ending: &Ending) -> Item {
    let key = keys::ending(worker);
    let record = EndingRecord { schema: 1, operation_id: ending.operation_id.to_string(), stage: ending.stage };
    let version = Some(ending.version);
    Item { pk: key.pk, sk: key.sk, version, attributes: record::attributes(&record), ..Item::default() }
}
