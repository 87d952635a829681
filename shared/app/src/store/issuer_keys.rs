//! The identity provider's public keys, as it showed them last.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, Write};

#[derive(Serialize, Deserialize)]
struct KeysItem {
    schema: u32,
    jwks: String,
    read_at: Timestamp,
}

impl Store {
    /// The keys of that issuer (a JWKS, as JSON text), and when they were read from it.
    ///
    /// # Errors
    /// The table failed.
    pub async fn issuer_keys(&self, issuer: &str) -> Result<Option<(String, Timestamp)>, AppError> {
        let item = self.table.get(&keys::issuer_keys(issuer)).await?;
        let stored: Option<KeysItem> = item.as_ref().map(record::read).transpose()?;
        Ok(stored.map(|stored| (stored.jwks, stored.read_at)))
    }

    /// Keeps them.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_issuer_keys(&self, issuer: &str, jwks: &str, read_at: Timestamp) -> Result<(), AppError> {
        let key = keys::issuer_keys(issuer);
        let attributes = record::attributes(&KeysItem { schema: 1, jwks: jwks.to_owned(), read_at });
        let item = Item { pk: key.pk, sk: key.sk, attributes, ..Item::default() };
        Ok(self.table.write(Write::Put(item, Condition::None)).await?)
    }
}
