//! The issuer's keys, kept in the table too: an environment that starts while the issuer is down still knows them.

use std::sync::Arc;

use app::ports::{Clock, PortError};
use app::store::Store;
use async_trait::async_trait;
use domain::{SignedDuration, Timestamp};

use super::{KeySource, check_jwks};

/// Keys that were read longer ago than this are not believed any more: one of them may have been withdrawn.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The keys of an issuer, and what the table remembers of them.
pub struct StoredKeys {
    issuer: String,
    source: Arc<dyn KeySource>,
    store: Store,
    clock: Arc<dyn Clock>,
    /// Whether the function may write to the table; others only read what those have written.
    may_write: bool,
}

impl StoredKeys {
    /// The keys that `source` has for that issuer.
    #[must_use]
    pub fn new(
        issuer: String,
        source: Arc<dyn KeySource>,
        store: Store,
        clock: Arc<dyn Clock>,
        may_write: bool,
    ) -> Self {
        Self { issuer, source, store, clock, may_write }
    }
}

#[async_trait]
impl KeySource for StoredKeys {
    /// What the issuer shows, which is stored. What is of no use (an error page with status 200) is an error, and
    /// is not stored: it must not take the place of good keys.
    async fn fetch(&self) -> Result<String, PortError> {
        let jwks = self.source.fetch().await?;
        check_jwks(&jwks)?;
        if self.may_write
            && let Err(error) = self.store.save_issuer_keys(&self.issuer, &jwks, self.clock.now()).await
        {
            tracing::warn!(%error, "the issuer's keys were not stored");
        }
        Ok(jwks)
    }

    /// What is stored. A table that fails, and an item that cannot be read, are as good as none.
    async fn remembered(&self) -> Option<(String, Timestamp)> {
        match self.store.issuer_keys(&self.issuer).await {
            Ok(stored) => stored.filter(|(_, read_at)| self.clock.now().duration_since(*read_at) < BELIEVED_FOR),
            Err(error) => {
                tracing::warn!(%error, "the stored keys of the issuer cannot be read");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
