//! The event bus, embedded: it keeps the last events, so that a person sees what was published.

use app::ports::{CloudEvent, Events, PortError, Publication};
use async_trait::async_trait;
use local_state::{Documents, StateError};
use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::{Value, json};

/// How many events are kept, and how many records that can never be published.
const KEPT: u32 = 1_000;

/// The bus. Cheap to clone; what it took survives `kill -9`.
#[derive(Clone)]
pub(crate) struct EmbeddedBus(Documents);

/// What was published, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Published {
    /// The events as `CloudEvents`; one that was published twice is there twice.
    pub(crate) items: Vec<Value>,
    /// Records that can never be published, with the reason.
    pub(crate) set_aside: Vec<Value>,
}

impl EmbeddedBus {
    /// Opens it.
    ///
    /// # Errors
    /// The file cannot be prepared.
    pub(crate) fn open(documents: Documents) -> Result<Self, StateError> {
        documents.connection().execute_batch(
            "CREATE TABLE IF NOT EXISTS bus_events (
                 number INTEGER PRIMARY KEY AUTOINCREMENT, set_aside INTEGER NOT NULL, body TEXT NOT NULL
             );
             CREATE INDEX IF NOT EXISTS bus_events_kind ON bus_events (set_aside, number);",
        )?;
        Ok(Self(documents))
    }

    /// The last events, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn last(&self, limit: u32) -> Result<Published, StateError> {
        let connection = self.0.connection();
        let read = |set_aside: bool| -> Result<Vec<Value>, StateError> {
            let mut statement = connection
                .prepare_cached("SELECT body FROM bus_events WHERE set_aside = ?1 ORDER BY number DESC LIMIT ?2")?;
            let bodies = statement.query_map(params![set_aside, limit], |row| row.get::<_, String>(0))?;
            bodies.map(|body| Ok(serde_json::from_str(&body?)?)).collect()
        };
        Ok(Published { items: read(false)?, set_aside: read(true)? })
    }

    fn keep(&self, set_aside: bool, bodies: &[String]) -> rusqlite::Result<()> {
        let mut connection: std::sync::MutexGuard<'_, Connection> = self.0.connection();
        let transaction = connection.transaction()?;
        for body in bodies {
            transaction
                .prepare_cached("INSERT INTO bus_events (set_aside, body) VALUES (?1, ?2)")?
                .execute(params![set_aside, body])?;
        }
        transaction
            .prepare_cached(
                "DELETE FROM bus_events WHERE set_aside = ?1 AND number <= (
                     SELECT number FROM bus_events WHERE set_aside = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2
                 )",
            )?
            .execute(params![set_aside, KEPT])?;
        transaction.commit()
    }
}

#[async_trait]
impl Events for EmbeddedBus {
    async fn publish(&self, events: &[CloudEvent]) -> Vec<Publication> {
        let bodies: Result<Vec<_>, _> = events.iter().map(serde_json::to_string).collect();
        let kept = bodies.map_err(|error| error.to_string());
        let kept = kept.and_then(|bodies| self.keep(false, &bodies).map_err(|error| error.to_string()));
        let told = |_: &CloudEvent| match &kept {
            Ok(()) => Publication::Published,
            Err(why) => Publication::Failed(PortError::new("events.PutEvents", why.clone())),
        };
        events.iter().map(told).collect()
    }

    async fn set_aside(&self, record: &Value, why: &str) -> Result<(), PortError> {
        let body = json!({ "why": why, "record": record }).to_string();
        self.keep(true, &[body]).map_err(|error| PortError::new("sqs.SendMessage", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u32) -> CloudEvent {
        CloudEvent {
            specversion: "1.0",
            id: n.to_string(),
            source: "test",
            kind: "worker.created".into(),
            subject: "wkr".into(),
            time: "2026-11-20T10:00:00.000Z".into(),
            sequence: format!("{n:012}"),
            datacontenttype: "application/json",
            data: json!({}),
        }
    }

    #[tokio::test]
    async fn the_last_events_are_kept_newest_first_and_what_was_set_aside_beside_them() {
        let bus = EmbeddedBus::open(Documents::in_memory().unwrap()).unwrap();
        bus.set_aside(&json!({ "n": 1 }), "it is unreadable").await.unwrap();
        let events: Vec<_> = (0..KEPT + 5).map(event).collect();
        let told = bus.publish(&events).await;
        assert!(told.len() == events.len() && told.iter().all(|told| matches!(told, Publication::Published)));
        let last = bus.last(2).unwrap();
        assert_eq!([&last.items[0]["id"], &last.items[1]["id"]], ["1004", "1003"]);
        assert_eq!(last.set_aside, [json!({ "why": "it is unreadable", "record": { "n": 1 } })]);
        let all = bus.last(KEPT * 2).unwrap().items;
        assert_eq!((all.len(), &all[all.len() - 1]["id"]), (1_000, &json!("5")));
    }
}
