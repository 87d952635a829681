//! The telemetry feed.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Machined;
use crate::failure::Failure;
use crate::machine::Caller;

/// The whole history, each time.
pub(super) async fn events(State(machine): Machined, _: Caller) -> Result<Json<Vec<Value>>, Failure> {
    let events = machine.telemetry()?.into_iter().map(|event| {
        let timestamp = event.timestamp.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        json!({ "category": event.category, "timestamp": timestamp, "data": event.data })
    });
    Ok(Json(events.collect()))
}
