//! Files that are too large for items: topologies to import, backups, and evidence of failures. S3, or the data
//! directory.

use async_trait::async_trait;

use domain::backup::BACKUPS_FOLDER;
use domain::evidence::EVIDENCE_FOLDER;

use super::error::PortError;

/// What is kept as files. Who may read or write one kind may not touch the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Topologies that wait to be imported.
    Topology,
    /// Backups of labs.
    Backup,
    /// Evidence of failures.
    Evidence,
}

impl FileKind {
    /// The folder that its files' keys begin with.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Topology => "topologies",
            Self::Backup => BACKUPS_FOLDER,
            Self::Evidence => EVIDENCE_FOLDER,
        }
    }
}

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
