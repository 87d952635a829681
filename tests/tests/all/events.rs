//! The bus on a stand-in for EventBridge that fails as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use app::ports::{CloudEvent, Events, Publication};
use aws::EventBridgeEvents;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::support::{Server, start};

/// How the next call ends.
#[derive(Clone)]
enum Next {
    /// These entries fail, by position, with that code.
    Entries(Vec<(usize, &'static str)>),
    /// The call fails with that code.
    Call(u16, &'static str),
}

/// What each call saw, and what the next ones answer. It is a stand-in for SQS too.
#[derive(Clone, Default)]
struct EventBridge(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    calls: Vec<Vec<Value>>,
    letters: Vec<Value>,
    next: VecDeque<Next>,
}

impl EventBridge {
    fn answering(next: impl IntoIterator<Item = Next>) -> Self {
        Self(Arc::new(Mutex::new(Script { next: next.into_iter().collect(), ..Script::default() })))
    }

    /// The events of each call, by number.
    fn numbers(&self) -> Vec<Vec<String>> {
        let number = |entry: &Value| detail(entry)["id"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().calls.iter().map(|call| call.iter().map(number).collect()).collect()
    }

    async fn bus(&self) -> (Server, EventBridgeEvents) {
        let app = axum::Router::new().route("/", post(answer)).with_state(self.clone());
        let server = start(|listener| async move { axum::serve(listener, app).await.unwrap() }).await;
        let config = aws::sdk_config_for(&server.url);
        let (client, queues) = (aws_sdk_eventbridge::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        let dead_letters = format!("{}/1/dead-letters", server.url);
        (server, EventBridgeEvents::new(client, "bus", queues, dead_letters))
    }
}

fn detail(entry: &Value) -> Value {
    serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap()
}

async fn answer(State(bridge): State<EventBridge>, headers: HeaderMap, body: String) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap();
    let mut script = bridge.0.lock().unwrap();
    if headers["x-amz-target"] == "AmazonSQS.SendMessage" {
        script.letters.push(request);
        return Json(json!({ "MessageId": "m", "MD5OfMessageBody": "" })).into_response();
    }
    assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
    let entries = request["Entries"].as_array().unwrap().clone();
    let count = entries.len();
    script.calls.push(entries);
    let failed = match script.next.pop_front() {
        Some(Next::Call(status, code)) => {
            let body = Json(json!({ "__type": code, "message": "words" }));
            return (StatusCode::from_u16(status).unwrap(), body).into_response();
        }
        Some(Next::Entries(failed)) => failed,
        None => vec![],
    };
    let told = |at: usize| match failed.iter().find(|(failed, _)| *failed == at) {
        Some((_, code)) => json!({ "ErrorCode": code, "ErrorMessage": "words" }),
        None => json!({ "EventId": format!("e{at}") }),
    };
    let told: Vec<_> = (0..count).map(told).collect();
    Json(json!({ "FailedEntryCount": failed.len(), "Entries": told })).into_response()
}

fn event(n: usize) -> CloudEvent {
    CloudEvent {
        specversion: "1.0",
        id: n.to_string(),
        source: "cml-cloud-manager",
        kind: "worker.created".into(),
        subject: "wkr-1".into(),
        time: "2026-03-02T08:59:59.500Z".into(),
        sequence: format!("{n:012}"),
        datacontenttype: "application/json",
        data: json!({}),
    }
}

fn events(count: usize) -> Vec<CloudEvent> {
    (0..count).map(event).collect()
}

/// `p`ublished, `r`efused or `f`ailed.
fn letters(told: &[Publication]) -> String {
    let letter = |told: &Publication| match told {
        Publication::Published => 'p',
        Publication::Refused(_) => 'r',
        Publication::Failed(_) => 'f',
    };
    told.iter().map(letter).collect()
}

#[tokio::test]
async fn an_entry_is_the_cloud_event_under_its_source_and_type() {
    let bridge = EventBridge::default();
    let (_server, bus) = bridge.bus().await;
    assert_eq!(letters(&bus.publish(&events(1)).await), "p");
    let entry = bridge.0.lock().unwrap().calls[0][0].clone();
    assert_eq!((&entry["EventBusName"], &entry["Source"]), (&json!("bus"), &json!("cml-cloud-manager")));
    assert_eq!((&entry["DetailType"], entry["Time"].as_f64()), (&json!("worker.created"), Some(1_772_441_999.5)));
    assert_eq!(detail(&entry), serde_json::to_value(event(0)).unwrap());
}

#[tokio::test]
async fn what_eventbridge_failed_to_take_is_sent_again_alone_and_what_it_refused_is_not() {
    let bridge = EventBridge::answering([
        Next::Entries(vec![(1, "ThrottlingException"), (2, "MalformedDetail"), (3, "InternalFailure")]),
        Next::Entries(vec![(1, "InternalFailure")]),
    ]);
    let (_server, bus) = bridge.bus().await;
    assert_eq!(letters(&bus.publish(&events(4)).await), "pprp");
    assert_eq!(bridge.numbers(), [vec!["0", "1", "2", "3"], vec!["1", "3"], vec!["3"]]);
}

#[tokio::test]
async fn sending_again_has_an_end_and_no_later_batch_overtakes_what_failed() {
    let throttled = || Next::Entries(vec![(0, "ThrottlingException")]);
    let bridge = EventBridge::answering([throttled(), throttled(), throttled()]);
    let (_server, bus) = bridge.bus().await;
    assert_eq!(letters(&bus.publish(&events(12)).await), "fpppppppppff");
    assert_eq!(bridge.numbers().iter().map(Vec::len).collect::<Vec<_>>(), [10, 1, 1]);
}

#[tokio::test]
async fn a_batch_that_is_refused_as_a_whole_is_sent_one_by_one() {
    let refused = || Next::Call(400, "ValidationException");
    let bridge = EventBridge::answering([refused(), Next::Entries(vec![]), refused()]);
    let (_server, bus) = bridge.bus().await;
    assert_eq!(letters(&bus.publish(&events(3)).await), "prp");
    assert_eq!(bridge.numbers(), [vec!["0", "1", "2"], vec!["0"], vec!["1"], vec!["2"]]);
}

#[tokio::test]
async fn a_call_that_fails_for_another_reason_is_no_refusal() {
    for code in ["AccessDeniedException", "ResourceNotFoundException"] {
        let bridge = EventBridge::answering([Next::Call(400, code)]);
        let (_server, bus) = bridge.bus().await;
        assert_eq!(letters(&bus.publish(&events(2)).await), "ff", "{code}");
    }
}

#[tokio::test]
async fn an_event_larger_than_eventbridge_takes_is_refused_without_asking_and_a_large_one_goes_alone() {
    let bridge = EventBridge::default();
    let (_server, bus) = bridge.bus().await;
    let mut events = events(4);
    events[1].data = json!("x".repeat(1_000_001));
    events[2].data = json!("x".repeat(300_000));
    assert_eq!(letters(&bus.publish(&events).await), "prpp");
    assert_eq!(bridge.numbers(), [vec!["0"], vec!["2"], vec!["3"]]);
}

#[tokio::test]
async fn what_is_set_aside_goes_to_the_dead_letters_with_the_reason() {
    let bridge = EventBridge::default();
    let (_server, bus) = bridge.bus().await;
    bus.set_aside(&json!({ "n": 1 }), "it is unreadable").await.unwrap();
    let letter = bridge.0.lock().unwrap().letters[0].clone();
    assert!(letter["QueueUrl"].as_str().unwrap().ends_with("/1/dead-letters"), "{letter}");
    let body: Value = serde_json::from_str(letter["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({ "schema": 1, "why": "it is unreadable", "record": { "n": 1 } }));
}
