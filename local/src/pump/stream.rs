//! The consumer of the table's stream: what Lambda's event source mapping does, but for giving up. A
//! record that fails comes again until it does not; its shard waits meanwhile, and others do not.

use std::time::Duration;

use http_api::Function;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Parts, stopping};
use crate::stream::Page;

/// How often the stream is read, as Lambda does.
const POLL: Duration = Duration::from_millis(250);
/// How soon what was not done comes again.
const BACKOFF: Duration = Duration::from_secs(1);

/// What the mapping lets through.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// What the sort keys of new items begin with.
    pub(super) sort_keys: &'static str,
    /// Records a batch, at most.
    pub(super) batch_size: u32,
}

/// Delivers the stream's records until the stack stops.
pub(super) async fn run(parts: Parts, function: &'static Function, limits: Limits, mut stop: watch::Receiver<bool>) {
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stopping(&mut stop) => return,
            _ = poll.tick() => {}
        }
        match parts.stream.next().await {
            Ok(pages) => {
                let more = pages.iter().any(|page| !page.records.is_empty());
                let mut fine = true;
                for page in pages {
                    fine &= deliver(&parts, function, limits, &page).await;
                }
                if !fine {
                    poll.reset_at(Instant::now() + BACKOFF);
                } else if more {
                    poll.reset_immediately();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the stream cannot be read");
                poll.reset_at(Instant::now() + BACKOFF);
            }
        }
    }
}

/// Delivers a page in batches; whether all of it is done. What is done is kept at once.
async fn deliver(parts: &Parts, function: &'static Function, limits: Limits, page: &Page) -> bool {
    let size = usize::try_from(limits.batch_size).unwrap_or(1).max(1);
    for records in page.records.chunks(size) {
        let wanted: Vec<&Value> = records.iter().filter(|record| passes(record, limits.sort_keys)).collect();
        let answer = match wanted[..] {
            [] => Ok(Value::Null),
            _ => parts.invoker.invoke(function, json!({ "Records": wanted })).await,
        };
        let done = match answer {
            Ok(answer) => done(&answer, records),
            Err(_) => &[],
        };
        if let Some(last) = done.last().and_then(sequence_number)
            && let Err(error) = parts.stream.done(&page.shard, last).await
        {
            tracing::warn!(%error, "how far the stream was read cannot be kept; its records come again");
            return false;
        }
        if done.len() < records.len() {
            return false;
        }
    }
    true
}

/// The filter of the event source mapping (`trigger.rs` of the template has the same).
fn passes(record: &Value, sort_keys: &str) -> bool {
    let sort_key = record.pointer("/dynamodb/Keys/sk/S").and_then(Value::as_str);
    record["eventName"] == "INSERT" && sort_key.is_some_and(|key| key.starts_with(sort_keys))
}

/// The records that are done by this answer: those before the first that it names. One that names a record
/// which was not delivered is not understood: then, as in Lambda, nothing is done.
fn done<'a>(answer: &Value, records: &'a [Value]) -> &'a [Value] {
    let failed = answer.get("batchItemFailures").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let place = |failure: &Value| {
        let id = failure.get("itemIdentifier").and_then(Value::as_str);
        records.iter().position(|record| id.is_some() && sequence_number(record) == id).unwrap_or(0)
    };
    let end = failed.iter().map(place).min().unwrap_or(records.len());
    records.get(..end).unwrap_or_default()
}

fn sequence_number(record: &Value) -> Option<&str> {
    record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: &str, name: &str, sort_key: &str) -> Value {
        json!({ "eventName": name, "dynamodb": { "SequenceNumber": number, "Keys": { "sk": { "S": sort_key } } } })
    }

    #[test]
    fn only_new_items_with_the_prefix_pass() {
        assert!(passes(&record("1", "INSERT", "EVENT#000000000001"), "EVENT#"));
        assert!(!passes(&record("1", "REMOVE", "EVENT#000000000001"), "EVENT#"));
        assert!(!passes(&record("1", "INSERT", "WORKER"), "EVENT#"));
        assert!(!passes(&json!({ "eventName": "INSERT" }), "EVENT#"));
    }

    #[test]
    fn what_stands_before_the_first_failure_is_done_and_an_answer_that_names_others_does_nothing() {
        let records = ["1", "2", "3"].map(|number| record(number, "INSERT", "EVENT#"));
        let done = |answer: Value| done(&answer, &records).len();
        assert_eq!(done(Value::Null), 3);
        assert_eq!(done(json!({ "batchItemFailures": [] })), 3);
        let failed = |ids: &[&str]| {
            let failures: Vec<_> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
            json!({ "batchItemFailures": failures })
        };
        assert_eq!(done(failed(&["3", "2"])), 1);
        assert_eq!(done(failed(&["1"])), 0);
        assert_eq!(done(failed(&["9"])), 0);
        assert_eq!(done(json!({ "batchItemFailures": [{}] })), 0);
    }
}
