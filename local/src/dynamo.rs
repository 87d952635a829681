//! `DynamoDB` in this process: SQLite behind the real wire protocol, reached through the real SDK.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app::ports::PortError;
use dynoxide::Database;
use local_state::StateError;
use rusqlite::Connection;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::StackError;

/// How long trimming waits for a write that is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the database in that file until `stop` is true or gone; where it listens.
pub(crate) async fn serve(
    file: &Path,
    tasks: &mut JoinSet<()>,
    mut stop: watch::Receiver<bool>,
) -> Result<SocketAddr, StackError> {
    let path = file.to_str().ok_or_else(|| StackError::Start("the data directory's name is not text".into()))?;
    let database = Database::new(path).map_err(|error| StackError::Start(format!("the table's file: {error}")))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tasks.spawn(async move {
        let stopped = async move {
            // An error says that the stack was dropped.
            let _ended = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stopped).await {
            tracing::error!(error, "the table's server ended");
        }
    });
    Ok(address)
}

/// Forgets the records of a stream that are done. DynamoDB does so after 24 hours; dynoxide never does,
/// and reads all of them at each write to number the next one.
pub(crate) struct Trimmer(Mutex<Connection>);

impl Trimmer {
    /// For the database in that file, which a server of this process has open.
    pub(crate) fn open(file: &Path) -> Result<Self, StackError> {
        let connection = Connection::open(file).map_err(StateError::from)?;
        connection.busy_timeout(PATIENCE).map_err(StateError::from)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Forgets the records before the one with this sequence number. That one stays, because the next
    /// one's number follows from it.
    pub(crate) fn trim(&self, sequence_number: &str) -> Result<(), PortError> {
        let failed = |why: String| PortError::new("trimming the stream", why);
        // A number is kept without the 1 and the zeros that dynoxide puts in front of it in answers.
        let number = sequence_number.get(1..).and_then(|digits| digits.parse::<i64>().ok());
        let number = number.ok_or_else(|| failed(format!("{sequence_number} is no number of dynoxide's")))?;
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trimmed = connection
            .prepare_cached("DELETE FROM _stream_records WHERE CAST(sequence_number AS INTEGER) < ?1")
            .and_then(|mut statement| statement.execute([number]));
        trimmed.map(drop).map_err(|error| failed(error.to_string()))
    }
}
