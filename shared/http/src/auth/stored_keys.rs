//! The issuer's keys, kept in the table too: an environment that starts while the issuer is down still knows them.

use std::sync::Arc;

use app::error::PortError;
use app::ports::Clock;
use app::store::Store;
use async_trait::async_trait;
use domain::SignedDuration;

use super::KeySource;

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
    async fn fetch(&self) -> Result<String, PortError> {
        let now = self.clock.now();
        let failure = match self.source.fetch().await {
            Ok(jwks) => {
                if self.may_write
                    && let Err(error) = self.store.save_issuer_keys(&self.issuer, &jwks, now).await
                {
                    tracing::warn!(%error, "the issuer's keys were not stored");
                }
                return Ok(jwks);
            }
            Err(failure) => failure,
        };
        match self.store.issuer_keys(&self.issuer).await {
            Ok(Some((jwks, read_at))) if now.duration_since(read_at) < BELIEVED_FOR => {
                tracing::warn!(error = %failure, %read_at, "the issuer does not show its keys; those of the table serve");
                Ok(jwks)
            }
            Ok(_) => Err(failure),
            Err(error) => {
                tracing::warn!(%error, "the stored keys of the issuer cannot be read");
                Err(failure)
            }
        }
    }
}
