//! Topologies, backups and evidence, kept as files below the data directory.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use app::ports::{Files, PortError};
use async_trait::async_trait;

const GET: &str = "files.get";

/// What S3 is in AWS.
pub(crate) struct LocalFiles(PathBuf);

impl LocalFiles {
    /// Files below that folder, which is made with the first of them.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where a key is kept; keys that lead elsewhere are none.
    fn path(&self, operation: &'static str, key: &str) -> Result<PathBuf, PortError> {
        let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        if key.is_empty() || !inside {
            return Err(PortError::new(operation, format!("{key:?} is no key")));
        }
        Ok(self.0.join(key))
    }
}

#[async_trait]
impl Files for LocalFiles {
    async fn put(&self, key: &str, content: &[u8]) -> Result<(), PortError> {
        const PUT: &str = "files.put";
        let path = self.path(PUT, key)?;
        let failed = |error: std::io::Error| PortError::new(PUT, error.to_string());
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        // Renamed into its place: a reader finds all of it or nothing.
        let half = path.with_extension("half");
        tokio::fs::write(&half, content).await.map_err(failed)?;
        tokio::fs::rename(&half, &path).await.map_err(failed)
    }

    async fn get(&self, key: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, PortError> {
        let content = match tokio::fs::read(self.path(GET, key)?).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            content => content.map_err(|error| PortError::new(GET, error.to_string()))?,
        };
        if content.len() > max_bytes {
            return Err(PortError::new(GET, format!("{key} is larger than {max_bytes} bytes")));
        }
        Ok(Some(content))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        const DELETE: &str = "files.delete";
        match tokio::fs::remove_file(self.path(DELETE, key)?).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(PortError::new(DELETE, error.to_string())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_kept_replaced_bounded_and_deleted_and_never_outside() {
        let folder = tempfile::tempdir().unwrap();
        let files = LocalFiles::new(folder.path().join("files"));
        app::testing::check_files(&files, "backups").await.unwrap();
        files.put("backups/a.yaml", b"one").await.unwrap();
        for outside in ["", "../a", "/etc/passwd", "a/../../b"] {
            assert!(files.put(outside, b"x").await.is_err(), "{outside}");
        }
    }
}
