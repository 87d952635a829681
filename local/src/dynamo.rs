//! `DynamoDB` in this process: SQLite behind the real wire protocol, reached through the real SDK.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::StackError;

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
