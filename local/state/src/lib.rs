//! What the simulated world remembers: JSON documents in one SQLite file, so that a killed stack
//! goes on where it was.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file could not be read or written, or a document in it is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// SQLite failed.
    #[error("local state: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A document cannot be read or written.
    #[error("local state document: {0}")]
    Document(#[from] serde_json::Error),
}

/// Documents by kind and id. Cheap to clone; every write is committed when it returns.
#[derive(Clone, Debug)]
pub struct Documents(Arc<Mutex<Connection>>);

impl Documents {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// The file cannot be opened or is not ours.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::prepare(Connection::open(path)?)
    }

    /// Documents that end with the process, for tests.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn in_memory() -> Result<Self, StateError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, StateError> {
        // WAL with NORMAL survives a killed process; only a power cut may lose the last writes.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;
             CREATE TABLE IF NOT EXISTS documents (
                 kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
             ) WITHOUT ROWID;",
        )?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// The connection, for tables of one's own in the same file. Hold it briefly.
    pub fn connection(&self) -> MutexGuard<'_, Connection> {
        // A poisoned lock only says that some thread panicked between two committed statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a document.
    ///
    /// # Errors
    /// It could not be written.
    pub fn put<T: Serialize>(&self, kind: &str, id: &str, document: &T) -> Result<(), StateError> {
        let body = serde_json::to_string(document)?;
        self.connection().execute(
            "INSERT INTO documents (kind, id, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            params![kind, id, body],
        )?;
        Ok(())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It could not be read.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<T>, StateError> {
        let body: Option<String> = self
            .connection()
            .query_row("SELECT body FROM documents WHERE kind = ?1 AND id = ?2", params![kind, id], |row| row.get(0))
            .optional()?;
        Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
    }

    /// All documents of a kind, by id.
    ///
    /// # Errors
    /// They could not be read.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>, StateError> {
        let rows: Vec<(String, String)> = {
            let connection = self.connection();
            let mut statement =
                connection.prepare_cached("SELECT id, body FROM documents WHERE kind = ?1 ORDER BY id")?;
            let rows = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        rows.into_iter().map(|(id, body)| Ok((id, serde_json::from_str(&body)?))).collect()
    }

    /// Removes a document, if it is there.
    ///
    /// # Errors
    /// It could not be removed.
    pub fn delete(&self, kind: &str, id: &str) -> Result<(), StateError> {
        self.connection().execute("DELETE FROM documents WHERE kind = ?1 AND id = ?2", params![kind, id])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back_and_is_replaced_and_removed() {
        let documents = Documents::in_memory().unwrap();
        documents.put("instance", "b", &2).unwrap();
        documents.put("instance", "a", &1).unwrap();
        documents.put("instance", "a", &3).unwrap();
        documents.put("other", "a", &9).unwrap();
        assert_eq!(documents.all::<i32>("instance").unwrap(), [("a".to_owned(), 3), ("b".to_owned(), 2)]);
        documents.delete("instance", "a").unwrap();
        assert_eq!(documents.get::<i32>("instance", "a").unwrap(), None);
        assert_eq!(documents.get::<i32>("other", "a").unwrap(), Some(9));
    }
}
