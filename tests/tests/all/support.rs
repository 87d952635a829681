//! Stand-ins for AWS, in process; those that are servers on a free port of the loopback address.

use std::sync::{Arc, Mutex};

use app::ports::{CloudEvent, Events, PortError, Publication, Table};
use async_trait::async_trait;
use aws::DynamoTable;
use aws_sdk_dynamodb::Client;
use dynoxide::Database;
use serde_json::Value;
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

/// A bus that remembers what it took. It refuses and fails events by their sequence number.
#[derive(Default)]
pub(crate) struct RecordingBus(Mutex<Bus>);

#[derive(Default)]
struct Bus {
    published: Vec<CloudEvent>,
    set_aside: Vec<(Value, String)>,
    refuses: Vec<u64>,
    fails: Vec<u64>,
    keeps_nothing: bool,
}

impl RecordingBus {
    /// Never takes the events of these numbers.
    pub(crate) fn refuse(&self, sequences: &[u64]) {
        self.0.lock().unwrap().refuses = sequences.to_vec();
    }

    /// Does not take the events of these numbers for now.
    pub(crate) fn fail(&self, sequences: &[u64]) {
        self.0.lock().unwrap().fails = sequences.to_vec();
    }

    /// From now on nothing can be set aside, or it can again.
    pub(crate) fn keep_nothing(&self, nothing: bool) {
        self.0.lock().unwrap().keeps_nothing = nothing;
    }

    /// What it took, in order.
    pub(crate) fn published(&self) -> Vec<CloudEvent> {
        self.0.lock().unwrap().published.clone()
    }

    /// The records set aside, with the reasons.
    pub(crate) fn set_aside(&self) -> Vec<(Value, String)> {
        self.0.lock().unwrap().set_aside.clone()
    }
}

#[async_trait]
impl Events for RecordingBus {
    async fn publish(&self, events: &[CloudEvent]) -> Vec<Publication> {
        let mut bus = self.0.lock().unwrap();
        let mut told = Vec::new();
        for event in events {
            let sequence: u64 = event.sequence.parse().unwrap();
            told.push(if bus.refuses.contains(&sequence) {
                Publication::Refused(PortError::new("events.PutEvents", "MalformedDetail"))
            } else if bus.fails.contains(&sequence) {
                Publication::Failed(PortError::new("events.PutEvents", "ThrottlingException"))
            } else {
                bus.published.push(event.clone());
                Publication::Published
            });
        }
        told
    }

    async fn set_aside(&self, record: &Value, why: &str) -> Result<(), PortError> {
        let mut bus = self.0.lock().unwrap();
        if bus.keeps_nothing {
            return Err(PortError::new("sqs.SendMessage", "it does not answer"));
        }
        bus.set_aside.push((record.clone(), why.to_owned()));
        Ok(())
    }
}
