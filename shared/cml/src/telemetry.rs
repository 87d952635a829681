//! The telemetry feed: its whole history each time, so it is read as a stream and little of it kept.

use app::ports::CmlError;
use domain::activity::TelemetryEvent;
use domain::{Timestamp, WorkerId};
use serde_json::Value;

use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::json::{text_at, time};
use crate::splitter::{NotAnArray, Splitter};
use crate::transport::read_chunks;

const EVENTS: &str = "GET /telemetry/events";
/// A feed larger than this is not read: about two hundred thousand entries.
const FEED_BYTES: usize = 32 * 1024 * 1024;
/// The newest entries kept of one reading.
const KEPT: usize = 10_000;
/// A category or a user id longer than this is neither.
const NAME_BYTES: usize = 128;

/// The entries newer than `after`, oldest first.
pub(crate) async fn events(
    session: &Session<'_>,
    worker: WorkerId,
    after: Option<Timestamp>,
) -> Result<Vec<TelemetryEvent>, CmlError> {
    let response = session.send(&Call::new(EVENTS)?).await?;
    let no_array = |_: NotAnArray| malformed(EVENTS, "its answer is not one whole JSON array");
    let mut splitter = Splitter::default();
    let mut newest = Newest::new(after, KEPT);
    read_chunks(EVENTS, response, FEED_BYTES, |chunk| {
        splitter.push(chunk, |element| newest.take(element)).map_err(no_array)
    })
    .await?;
    splitter.finish().map_err(no_array)?;
    if newest.unreadable > 0 {
        tracing::warn!(%worker, entries = newest.unreadable, "telemetry entries that cannot be read were skipped");
    }
    Ok(newest.into_events())
}

/// Keeps the newest entries after a mark, in whatever order they come.
struct Newest {
    after: Option<Timestamp>,
    cap: usize,
    events: Vec<TelemetryEvent>,
    unreadable: u64,
}

impl Newest {
    fn new(after: Option<Timestamp>, cap: usize) -> Self {
        Self { after, cap, events: Vec::new(), unreadable: 0 }
    }

    fn take(&mut self, element: &[u8]) {
        match entry(element) {
            Some(event) if self.after.is_none_or(|mark| event.at > mark) => self.events.push(event),
            Some(_) => {}
            None => self.unreadable += 1,
        }
        if self.events.len() >= self.cap * 2 {
            self.cut();
        }
    }

    /// Oldest first, and no more than the cap; those of one moment stay in CML's order.
    fn cut(&mut self) {
        self.events.sort_by_key(|event| event.at);
        self.events.drain(..self.events.len().saturating_sub(self.cap));
    }

    fn into_events(mut self) -> Vec<TelemetryEvent> {
        self.cut();
        self.events
    }
}

fn entry(element: &[u8]) -> Option<TelemetryEvent> {
    let entry: Value = serde_json::from_slice(element).ok()?;
    let category = text_at(&entry, "/category").filter(|category| category.len() <= NAME_BYTES)?;
    let user_id = text_at(&entry, "/data/user_id").filter(|user| user.len() <= NAME_BYTES);
    Some(TelemetryEvent { category, at: time(entry.get("timestamp")?)?, user_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(after: Option<i64>, cap: usize, seconds: &[i64]) -> Vec<i64> {
        let mut newest = Newest::new(after.map(|second| Timestamp::from_second(second).unwrap()), cap);
        for second in seconds {
            newest.take(format!(r#"{{"category": "start_lab", "timestamp": {second}}}"#).as_bytes());
        }
        assert_eq!(newest.unreadable, 0);
        newest.into_events().iter().map(|event| event.at.as_second()).collect()
    }

    #[test]
    fn only_what_is_newer_than_the_mark_is_kept() {
        assert_eq!(kept(Some(20), 10, &[10, 20, 21, 30]), [21, 30]);
        assert_eq!(kept(None, 10, &[10, 20]), [10, 20]);
    }

    #[test]
    fn the_newest_are_kept_in_whatever_order_they_come() {
        assert_eq!(kept(None, 3, &[9, 1, 8, 2, 7, 3, 6, 4, 5]), [7, 8, 9]);
    }

    #[test]
    fn an_entry_without_category_or_time_is_counted_and_an_odd_user_is_nobody() {
        let mut newest = Newest::new(None, 10);
        for bad in
            ["", "7", "null", r#"{"category": "x"}"#, r#"{"category": 4, "timestamp": 4}"#, r#"{"timestamp": 4}"#, "{"]
        {
            newest.take(bad.as_bytes());
        }
        assert_eq!(newest.unreadable, 7);
        newest.take(br#"{"category": "x", "timestamp": 4, "data": {"user_id": 12}}"#);
        newest.take(br#"{"category": "x", "timestamp": 4, "data": null}"#);
        assert!(newest.into_events().iter().all(|event| event.user_id.is_none()));
    }
}
