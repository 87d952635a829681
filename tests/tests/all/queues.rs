//! The queues on a stand-in for SQS that fails as told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use app::ports::{Outgoing, Queue, Queues};
use aws::SqsQueues;
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use serde_json::{Value, json};

use crate::support::{Server, start};

/// What each call saw, and what the next ones answer: entries that fail, by position, with their sender fault.
#[derive(Clone, Default)]
struct Sqs(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    seen: Vec<Vec<Value>>,
    failures: VecDeque<Vec<(usize, bool)>>,
}

impl Sqs {
    fn failing(failures: impl IntoIterator<Item = Vec<(usize, bool)>>) -> Self {
        Self(Arc::new(Mutex::new(Script { seen: Vec::new(), failures: failures.into_iter().collect() })))
    }

    /// The bodies of each call.
    fn bodies(&self) -> Vec<Vec<String>> {
        let text = |entry: &Value| entry["MessageBody"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().seen.iter().map(|call| call.iter().map(text).collect()).collect()
    }

    async fn queues(&self) -> (Server, SqsQueues) {
        let app = axum::Router::new().route("/", post(answer)).with_state(self.clone());
        let server = start(|listener| async move { axum::serve(listener, app).await.unwrap() }).await;
        let client = aws_sdk_sqs::Client::new(&aws::sdk_config_for(&server.url));
        let urls = [Queue::Operations, Queue::Power].map(|queue| (queue, format!("{}/1/{}", server.url, queue.name())));
        (server, SqsQueues::new(client, BTreeMap::from(urls)))
    }
}

async fn answer(State(sqs): State<Sqs>, body: String) -> Json<Value> {
    let request: Value = serde_json::from_str(&body).unwrap();
    let entries = request["Entries"].as_array().unwrap().clone();
    let mut script = sqs.0.lock().unwrap();
    let fails = script.failures.pop_front().unwrap_or_default();
    let id = |at: usize| entries[at]["Id"].clone();
    let failed: Vec<_> = fails
        .iter()
        .map(|(at, fault)| json!({"Id": id(*at), "SenderFault": fault, "Code": "InternalError", "Message": "no"}))
        .collect();
    let taken = (0..entries.len()).filter(|at| fails.iter().all(|(failed, _)| failed != at));
    // The MD5 of a body is optional in the model, and not sent.
    let successful: Vec<_> =
        taken.map(|at| json!({"Id": id(at), "MessageId": format!("m{at}"), "MD5OfMessageBody": ""})).collect();
    script.seen.push(entries);
    Json(json!({"Successful": successful, "Failed": failed}))
}

fn messages(bodies: &[&str]) -> Vec<Outgoing> {
    let message = |body: &&str| Outgoing {
        body: (*body).to_owned(),
        group: Some("worker".into()),
        deduplication_id: Some(format!("id-{body}")),
    };
    bodies.iter().map(message).collect()
}

#[tokio::test]
async fn what_sqs_failed_to_take_is_sent_again_alone() {
    let sqs = Sqs::failing([vec![(1, false), (2, false)], vec![(0, false)]]);
    let (_server, queues) = sqs.queues().await;
    queues.send(Queue::Operations, messages(&["a", "b", "c"])).await.unwrap();
    assert_eq!(sqs.bodies(), [vec!["a", "b", "c"], vec!["b", "c"], vec!["b"]]);
}

#[tokio::test]
async fn what_sqs_refuses_is_an_error_and_not_sent_again() {
    let sqs = Sqs::failing([vec![(0, true), (1, false)]]);
    let (_server, queues) = sqs.queues().await;
    assert!(queues.send(Queue::Operations, messages(&["a", "b"])).await.is_err());
    assert_eq!(sqs.bodies(), [vec!["a", "b"], vec!["b"]]);
}

#[tokio::test]
async fn sending_again_has_an_end_and_does_not_keep_other_batches_back() {
    let bodies: Vec<_> = (0..12).map(|n| n.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    let sqs = Sqs::failing([vec![(4, false)], vec![(0, false)], vec![(0, false)]]);
    let (_server, queues) = sqs.queues().await;
    // FIFO: one batch after the other.
    assert!(queues.send(Queue::Power, messages(&bodies)).await.is_err());
    assert_eq!(sqs.bodies(), [bodies[..10].to_vec(), vec!["4"], vec!["4"], bodies[10..].to_vec()]);
    let first = sqs.0.lock().unwrap().seen[0][3].clone();
    assert_eq!((&first["MessageGroupId"], &first["MessageDeduplicationId"]), (&json!("worker"), &json!("id-3")));
}

#[tokio::test]
async fn a_queue_without_an_address_is_an_error() {
    let sqs = Sqs::default();
    let (_server, queues) = sqs.queues().await;
    assert!(queues.send(Queue::MetricsCml, messages(&["a"])).await.is_err());
    queues.send(Queue::Operations, Vec::new()).await.unwrap();
    assert!(sqs.bodies().is_empty());
}
