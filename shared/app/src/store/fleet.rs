//! What is known of the fleet as a whole: whether the store can be trusted.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, Write};

/// The fleet's brakes and what set them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetState {
    /// Workers were seen in the list at least once: an empty list is a loss from then on.
    pub had_workers: bool,
    /// Since when nothing destructive is done, and null when it is.
    pub frozen_since: Option<Timestamp>,
    /// Why.
    pub frozen_reason: Option<String>,
}

impl Store {
    /// The state of the fleet.
    ///
    /// # Errors
    /// The table failed; then nothing destructive may be done either.
    pub async fn fleet_state(&self) -> Result<FleetState, AppError> {
        Ok(self.table.get(&keys::fleet()).await?.as_ref().map(record::read).transpose()?.unwrap_or_default())
    }

    /// Writes it.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_fleet_state(&self, state: &FleetState) -> Result<(), AppError> {
        let key = keys::fleet();
        let mut attributes = record::attributes(state);
        attributes.insert("schema".into(), 1.into());
        let item = Item { pk: key.pk, sk: key.sk, attributes, ..Item::default() };
        Ok(self.table.write(Write::Put(item, Condition::None)).await?)
    }
}
