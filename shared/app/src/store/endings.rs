//! Which operation is, or was last, to end a worker: of all its operations, the one that others must know of.

use domain::{OperationId, WorkerId};
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::Item;

/// The operation that ends a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which.
    pub operation_id: OperationId,
    /// Counts how often it became another one.
    pub version: u64,
}

#[derive(Serialize, Deserialize)]
struct EndingRecord {
    schema: u32,
    operation_id: String,
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
            version: item.version.unwrap_or(0),
        }))
    }
}

pub(super) fn ending_item(worker: WorkerId, ending: &Ending) -> Item {
    let key = keys::ending(worker);
    let record = EndingRecord { schema: 1, operation_id: ending.operation_id.to_string() };
    let version = Some(ending.version);
    Item { pk: key.pk, sk: key.sk, version, attributes: record::attributes(&record), ..Item::default() }
}
