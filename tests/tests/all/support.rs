//! Stand-ins for AWS, in process, on a free port of the loopback address.

use std::sync::Arc;

use app::ports::Table;
use aws::DynamoTable;
use aws_sdk_dynamodb::Client;
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) url: String,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `serve(listener)` on a free port.
pub(crate) async fn start<F>(serve: impl FnOnce(TcpListener) -> F) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(serve(listener)).abort_handle();
    Server { url, task }
}

/// DynamoDB on SQLite, in memory.
pub(crate) async fn dynamodb() -> (Server, Client) {
    let server = start(|listener| async move {
        let database = Database::memory().unwrap();
        dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await.unwrap();
    })
    .await;
    let client = Client::new(&aws::sdk_config_for(&server.url));
    (server, client)
}

/// The table on such a DynamoDB.
pub(crate) async fn dynamo_table() -> (Server, Arc<dyn Table>) {
    let (server, client) = dynamodb().await;
    aws::create_table(&client, "test").await.unwrap();
    (server, Arc::new(DynamoTable::new(client, "test")))
}
