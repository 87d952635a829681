//! What survives the process: a document per controller, and beside it the telemetry, which only
//! grows and would be too much to write anew at each entry.

use local_state::{Documents, StateError};

use crate::model::Controller;
use crate::model::telemetry::{EVENTS_KEPT, Event};

const KIND: &str = "cml-controller";
/// A seat of the smart account, which is no part of any controller: it outlives one that was not deregistered.
const SEAT: &str = "cml-licence-seat";

/// The memory of the simulated controllers.
#[derive(Clone, Debug)]
pub(crate) struct Store(Documents);

impl Store {
    pub(crate) fn new(documents: Documents) -> Self {
        let made = documents.connection().execute_batch(
            "CREATE TABLE IF NOT EXISTS cml_telemetry (
                 instance TEXT NOT NULL, sequence INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (instance, sequence)
             ) WITHOUT ROWID;",
        );
        if let Err(error) = made {
            // Every later use of the table fails too, and is answered with that.
            tracing::error!(%error, "the telemetry of the simulated controllers has no table");
        }
        Self(documents)
    }

    pub(crate) fn load(&self, instance: &str) -> Result<Option<Controller>, StateError> {
        self.0.get(KIND, instance)
    }

    pub(crate) fn save(&self, instance: &str, controller: &Controller) -> Result<(), StateError> {
        self.0.put(KIND, instance, controller)
    }

    /// The smart account gives a seat to the controller of an instance.
    pub(crate) fn take_seat(&self, instance: &str) -> Result<(), StateError> {
        self.0.put(SEAT, instance, &instance)
    }

    /// The smart account has its seat back.
    pub(crate) fn free_seat(&self, instance: &str) -> Result<(), StateError> {
        self.0.delete(SEAT, instance)
    }

    /// The instances whose controllers have a seat, or had one when they were last seen.
    pub(crate) fn seats(&self) -> Result<Vec<String>, StateError> {
        Ok(self.0.all::<String>(SEAT)?.into_iter().map(|(instance, _)| instance).collect())
    }

    /// Adds to the telemetry, and drops what is more than it keeps.
    pub(crate) fn append(&self, instance: &str, events: &[Event]) -> Result<(), StateError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut connection = self.0.connection();
        let transaction = connection.transaction()?;
        let mut sequence: i64 = transaction.query_row(
            "SELECT COALESCE(MAX(sequence), 0) FROM cml_telemetry WHERE instance = ?1",
            [instance],
            |row| row.get(0),
        )?;
        for event in events {
            sequence += 1;
            let body = serde_json::to_string(event)?;
            transaction.execute(
                "INSERT INTO cml_telemetry (instance, sequence, body) VALUES (?1, ?2, ?3)",
                (instance, sequence, body),
            )?;
        }
        let kept = i64::try_from(EVENTS_KEPT).unwrap_or(i64::MAX);
        transaction
            .execute("DELETE FROM cml_telemetry WHERE instance = ?1 AND sequence <= ?2", (instance, sequence - kept))?;
        Ok(transaction.commit()?)
    }

    /// The telemetry, oldest first.
    pub(crate) fn telemetry(&self, instance: &str) -> Result<Vec<Event>, StateError> {
        let bodies: Vec<String> = {
            let connection = self.0.connection();
            let mut statement =
                connection.prepare_cached("SELECT body FROM cml_telemetry WHERE instance = ?1 ORDER BY sequence")?;
            let rows = statement.query_map([instance], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        bodies.iter().map(|body| Ok(serde_json::from_str(body)?)).collect()
    }

    pub(crate) fn delete(&self, instance: &str) -> Result<(), StateError> {
        self.0.connection().execute("DELETE FROM cml_telemetry WHERE instance = ?1", [instance])?;
        self.0.delete(KIND, instance)
    }
}
