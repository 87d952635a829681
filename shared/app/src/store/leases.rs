//! Leases: one at a time does something, and one who crashed keeps nobody from it for long.

use domain::{SignedDuration, Timestamp};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, ItemKey, TableError, Write};

/// A lease that was taken.
#[derive(Debug)]
pub struct Lease {
    key: ItemKey,
    holder: u64,
}

impl Store {
    /// Takes the lease on something, for so long, in machine time; none while another has it. `random` tells the
    /// holders apart.
    ///
    /// # Errors
    /// The table failed.
    pub async fn take_lease(
        &self,
        what: &str,
        id: &str,
        random: u128,
        machine_now: Timestamp,
        lasts: SignedDuration,
    ) -> Result<Option<Lease>, AppError> {
        // 53 bits: what every reader of JSON numbers keeps.
        let holder = u64::try_from(random & ((1 << 53) - 1)).unwrap_or_default();
        let key = keys::lease(what, id);
        let item = Item {
            pk: key.pk.clone(),
            sk: key.sk.clone(),
            version: Some(holder),
            expires_at: Some(machine_now + lasts),
            attributes: record::attributes(&serde_json::json!({ "schema": 1 })),
            ..Item::default()
        };
        match self.table.write(Write::Put(item, Condition::NotExistsOrExpiredBefore(machine_now))).await {
            Ok(()) => Ok(Some(Lease { key, holder })),
            Err(TableError::Condition { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a lease back. One that another took over meanwhile stays theirs.
    ///
    /// # Errors
    /// The table failed; then it ends by itself.
    pub async fn give_back(&self, lease: Lease) -> Result<(), AppError> {
        match self.table.write(Write::Delete(lease.key, Condition::Version(lease.holder))).await {
            Ok(()) | Err(TableError::Condition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
