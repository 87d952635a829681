//! Sign-ins under way, by the hash of their state.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, TableError, Write};

/// A sign-in under way. Its verifier is worth nothing without the code, which comes by another way.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingLogin {
    /// SHA-256 of the value that the browser keeps in a cookie.
    pub browser_hash: String,
    /// What the id token must have.
    pub nonce: String,
    /// PKCE's verifier.
    pub verifier: String,
    /// Where the browser goes in the end: a path here.
    pub return_to: String,
    /// Until when the browser may come back, machine time.
    pub good_until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct LoginItem {
    schema: u32,
    #[serde(flatten)]
    login: PendingLogin,
}

impl Store {
    /// Keeps a new sign-in.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_login(&self, state_hash: &str, login: &PendingLogin) -> Result<(), AppError> {
        let key = keys::login(state_hash);
        let attributes = record::attributes(&LoginItem { schema: 1, login: login.clone() });
        let expires_at = Some(login.good_until);
        let item = Item { pk: key.pk, sk: key.sk, expires_at, attributes, ..Item::default() };
        Ok(self.table.write(Write::Put(item, Condition::NotExists)).await?)
    }

    /// A sign-in under way, whether or not it is too late for it.
    ///
    /// # Errors
    /// The table failed.
    pub async fn login(&self, state_hash: &str) -> Result<Option<PendingLogin>, AppError> {
        let item = self.table.get(&keys::login(state_hash)).await?;
        Ok(item.as_ref().map(record::read::<LoginItem>).transpose()?.map(|item| item.login))
    }

    /// Uses a sign-in up. False when it was used before.
    ///
    /// # Errors
    /// The table failed.
    pub async fn use_login(&self, state_hash: &str) -> Result<bool, AppError> {
        match self.table.write(Write::Delete(keys::login(state_hash), Condition::Exists)).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
