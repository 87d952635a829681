//! Files that are too large for items: topologies to import, and backups. S3, or the data directory.

use async_trait::async_trait;

use crate::error::PortError;

/// A store of files by key. A key is a path of our own making: `backups/<id>.yaml`.
#[async_trait]
pub trait Files: Send + Sync {
    /// Keeps the file; one that is there under the key is replaced.
    async fn put(&self, key: &str, content: &[u8]) -> Result<(), PortError>;

    /// The file; null when there is none.
    ///
    /// # Errors
    /// It is larger than `max_bytes`, or the store failed.
    async fn get(&self, key: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, PortError>;

    /// Deletes it; one that is not there is deleted already.
    async fn delete(&self, key: &str) -> Result<(), PortError>;
}
