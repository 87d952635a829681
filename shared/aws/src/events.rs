//! The bus on EventBridge.

use app::ports::{CloudEvent, Events, PortError, Publication};
use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::primitives::{DateTime, DateTimeFormat};
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use serde_json::{Value, json};

use crate::error::port_error;

const PUT: &str = "events.PutEvents";
const SEND: &str = "sqs.SendMessage";

/// EventBridge takes ten entries at once.
const MOST_ENTRIES: usize = 10;
/// The bytes of one call, which is a limit of 1 MB in EventBridge's API reference for `PutEvents`, of
/// 256 KB in its user guide ("Calculating `PutEvents` event entry size") and in stand-ins. A larger event
/// goes alone.
const MOST_BYTES: usize = 240 * 1024;
/// What EventBridge takes in no case: an event of more bytes is not tried.
const LARGEST_EVENT: usize = 1_000_000;
/// The bytes that an entry's time counts, by the same user guide.
const TIME_BYTES: usize = 14;
/// How often the entries of a call that EventBridge failed to take are sent in all.
const MOST_ATTEMPTS: usize = 3;
/// What is wrong with the event itself, of one entry and of a whole call: sent again, it is refused again.
const REFUSALS: [&str; 4] = ["MalformedDetail", "InvalidArgument", "ValidationException", "ValidationError"];

/// The bus on EventBridge, with a queue for what it will never take.
#[derive(Clone, Debug)]
pub struct EventBridgeEvents {
    client: Client,
    bus: String,
    queues: aws_sdk_sqs::Client,
    dead_letters_url: String,
}

/// An event on its way: where it stands in the caller's list, and its entry.
type Numbered = (usize, PutEventsRequestEntry);

impl EventBridgeEvents {
    /// The bus of that name or ARN; what can never be published goes to the queue at `dead_letters_url`.
    #[must_use]
    pub fn new(
        client: Client,
        bus: impl Into<String>,
        queues: aws_sdk_sqs::Client,
        dead_letters_url: impl Into<String>,
    ) -> Self {
        Self { client, bus: bus.into(), queues, dead_letters_url: dead_letters_url.into() }
    }

    fn entry(&self, event: &CloudEvent) -> Result<PutEventsRequestEntry, PortError> {
        let detail = serde_json::to_string(event).map_err(|error| PortError::new(PUT, error.to_string()))?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(event.source)
            .detail_type(&event.kind)
            .set_time(DateTime::from_str(&event.time, DateTimeFormat::DateTime).ok())
            .detail(detail)
            .build();
        match size(&entry) {
            bytes if bytes > LARGEST_EVENT => {
                Err(PortError::new(PUT, format!("an event of {bytes} bytes is too large")))
            }
            _ => Ok(entry),
        }
    }

    /// Sends one batch; what became of each. A batch that is refused as a whole is sent one by one, so that
    /// one event keeps no other back.
    async fn put(&self, batch: Vec<Numbered>) -> Vec<(usize, Publication)> {
        match self.attempt(batch).await {
            Sent::Told(told) => told,
            Sent::Refused(batch, error) if batch.len() == 1 => {
                batch.into_iter().map(|(at, _)| (at, Publication::Refused(again(&error)))).collect()
            }
            Sent::Refused(batch, _) => {
                let mut told = Vec::with_capacity(batch.len());
                for one in batch {
                    match self.attempt(vec![one]).await {
                        Sent::Told(one) => told.extend(one),
                        Sent::Refused(one, error) => {
                            told.extend(one.into_iter().map(|(at, _)| (at, Publication::Refused(again(&error)))));
                        }
                    }
                }
                told
            }
        }
    }

    async fn attempt(&self, batch: Vec<Numbered>) -> Sent {
        let mut told = Vec::with_capacity(batch.len());
        let mut left = batch;
        for attempt in 1..=MOST_ATTEMPTS {
            let entries = left.iter().map(|(_, entry)| entry.clone()).collect();
            let answer = match self.client.put_events().set_entries(Some(entries)).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let refused = is_refusal(error.as_service_error().and_then(ProvideErrorMetadata::code));
                    let error = port_error(PUT, error);
                    if refused && told.is_empty() {
                        return Sent::Refused(left, error);
                    }
                    told.extend(left.into_iter().map(|(at, _)| (at, Publication::Failed(again(&error)))));
                    return Sent::Told(told);
                }
            };
            left = rest(left, answer.entries(), &mut told);
            if left.is_empty() {
                return Sent::Told(told);
            }
            tracing::warn!(attempt, left = left.len(), "EventBridge did not take all events");
        }
        let failed = |at| (at, Publication::Failed(PortError::new(PUT, format!("it failed {MOST_ATTEMPTS} times"))));
        told.extend(left.into_iter().map(|(at, _)| failed(at)));
        Sent::Told(told)
    }
}

/// What one call came to.
enum Sent {
    /// What became of each.
    Told(Vec<(usize, Publication)>),
    /// All of it was refused, because of some of it.
    Refused(Vec<Numbered>, PortError),
}

#[async_trait]
impl Events for EventBridgeEvents {
    async fn publish(&self, events: &[CloudEvent]) -> Vec<Publication> {
        let mut told = Vec::with_capacity(events.len());
        let mut entries = Vec::with_capacity(events.len());
        for (at, event) in events.iter().enumerate() {
            match self.entry(event) {
                Ok(entry) => entries.push((at, entry)),
                Err(error) => told.push((at, Publication::Refused(error))),
            }
        }
        for batch in batches(entries) {
            if told.iter().any(|(_, publication)| matches!(publication, Publication::Failed(_))) {
                let error = PortError::new(PUT, "not sent, because an earlier one failed");
                told.extend(batch.into_iter().map(|(at, _)| (at, Publication::Failed(again(&error)))));
            } else {
                told.extend(self.put(batch).await);
            }
        }
        told.sort_by_key(|(at, _)| *at);
        told.into_iter().map(|(_, publication)| publication).collect()
    }

    async fn set_aside(&self, record: &Value, why: &str) -> Result<(), PortError> {
        let body = json!({ "schema": 1, "why": why, "record": record }).to_string();
        let request = self.queues.send_message().queue_url(&self.dead_letters_url).message_body(body);
        request.send().await.map(drop).map_err(|error| port_error(SEND, error))
    }
}

fn again(error: &PortError) -> PortError {
    PortError::new(error.operation, error.message.clone())
}

fn is_refusal(code: Option<&str>) -> bool {
    code.is_some_and(|code| REFUSALS.contains(&code))
}

/// An entry's bytes as EventBridge counts them.
fn size(entry: &PutEventsRequestEntry) -> usize {
    let text = |text: Option<&str>| text.map_or(0, str::len);
    TIME_BYTES + text(entry.source()) + text(entry.detail_type()) + text(entry.detail())
}

/// Splits entries into batches that EventBridge takes, in order.
fn batches(entries: Vec<Numbered>) -> Vec<Vec<Numbered>> {
    let mut batches: Vec<Vec<Numbered>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let size = size(&entry.1);
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST_ENTRIES && bytes + size <= MOST_BYTES => {
                batch.push(entry);
                bytes += size;
            }
            _ => {
                batches.push(vec![entry]);
                bytes = size;
            }
        }
    }
    batches
}

/// Notes what the answer tells of each entry, by position; what EventBridge failed to take is returned.
fn rest(batch: Vec<Numbered>, answers: &[PutEventsResultEntry], told: &mut Vec<(usize, Publication)>) -> Vec<Numbered> {
    let mut left = Vec::new();
    for (n, (at, entry)) in batch.into_iter().enumerate() {
        match answers.get(n).map(|answer| (answer.error_code(), answer)) {
            Some((None, _)) => told.push((at, Publication::Published)),
            Some((code, answer)) if is_refusal(code) => {
                let words = format!("{}: {}", code.unwrap_or_default(), answer.error_message().unwrap_or_default());
                told.push((at, Publication::Refused(PortError::new(PUT, words))));
            }
            Some(_) | None => left.push((at, entry)),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: usize, bytes: usize) -> Numbered {
        let empty = PutEventsRequestEntry::builder().source("s").detail_type("t").detail("").build();
        let detail = "d".repeat(bytes - size(&empty));
        (at, PutEventsRequestEntry::builder().source("s").detail_type("t").detail(detail).build())
    }

    fn answer(code: Option<&str>) -> PutEventsResultEntry {
        PutEventsResultEntry::builder()
            .set_error_code(code.map(Into::into))
            .set_error_message(code.map(|_| "words".into()))
            .build()
    }

    fn sizes(batches: &[Vec<Numbered>]) -> Vec<usize> {
        batches.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_batch_has_at_most_ten_entries_in_their_order() {
        let batches = batches((0..25).map(|at| entry(at, 100)).collect());
        assert_eq!(sizes(&batches), [10, 10, 5]);
        assert!(batches.iter().flatten().map(|(at, _)| *at).eq(0..25));
    }

    #[test]
    fn a_batch_has_at_most_its_bytes_and_a_larger_event_goes_alone() {
        assert_eq!(sizes(&batches(vec![entry(0, MOST_BYTES - 100), entry(1, 100), entry(2, 100)])), [2, 1]);
        assert_eq!(sizes(&batches(vec![entry(0, 100), entry(1, MOST_BYTES + 1), entry(2, 100)])), [1, 1, 1]);
        assert!(batches(Vec::new()).is_empty());
    }

    #[test]
    fn only_what_eventbridge_failed_to_take_is_left_and_what_it_refused_is_told() {
        let mut told = Vec::new();
        let answers = [None, Some("MalformedDetail"), Some("ThrottlingException"), Some("InternalFailure")].map(answer);
        let left = rest((5..10).map(|at| entry(at, 100)).collect(), &answers, &mut told);
        // The answer says nothing of the last one.
        assert!(left.iter().map(|(at, _)| *at).eq([7, 8, 9]));
        assert!(matches!(told[0], (5, Publication::Published)), "{told:?}");
        let (6, Publication::Refused(error)) = &told[1] else { panic!("{told:?}") };
        assert_eq!(error.message, "MalformedDetail: words");
    }
}
