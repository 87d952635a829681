//! Browser sessions, by the hash of their cookie.

use domain::session::{Person, Session};
use domain::{Role, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Item, TableError, Write};

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// SHA-256 of the cookie's value: the value itself is nowhere but in the browser.
    pub hash: String,
    /// The session.
    pub session: Session,
    /// Its tokens, sealed for [`StoredSession::context`].
    pub sealed: String,
    /// Counts its changes.
    pub version: u64,
}

impl StoredSession {
    /// What its tokens are sealed for: moved to another session they do not open.
    #[must_use]
    pub fn context(hash: &str) -> String {
        keys::session(hash).pk
    }
}

#[derive(Serialize, Deserialize)]
struct SessionItem {
    schema: u32,
    subject: String,
    username: String,
    role: String,
    created_at: Timestamp,
    ends_at: Timestamp,
    idle_ends_at: Timestamp,
    access_expires_at: Timestamp,
    /// Items of before it was kept have none.
    #[serde(default)]
    renew_at: Option<Timestamp>,
    sealed: String,
}

fn item(stored: &StoredSession) -> Item {
    let StoredSession { hash, session, sealed, version } = stored;
    let key = keys::session(hash);
    let attributes = record::attributes(&SessionItem {
        schema: 1,
        subject: session.person.subject.clone(),
        username: session.person.username.clone(),
        role: session.person.role.name().into(),
        created_at: session.created_at,
        ends_at: session.ends_at,
        idle_ends_at: session.idle_ends_at,
        access_expires_at: session.access_expires_at,
        renew_at: Some(session.renew_at),
        sealed: sealed.clone(),
    });
    Item {
        pk: key.pk,
        sk: key.sk,
        version: Some(*version),
        expires_at: Some(session.ends_at),
        attributes,
        ..Item::default()
    }
}

fn read(hash: &str, item: &Item) -> Result<StoredSession, AppError> {
    let record: SessionItem = record::read(item)?;
    let role = Role::from_name(&record.role).ok_or_else(|| record::corrupt(item, &"the role is unknown"))?;
    let session = Session {
        person: Person { subject: record.subject, username: record.username, role },
        created_at: record.created_at,
        ends_at: record.ends_at,
        idle_ends_at: record.idle_ends_at,
        access_expires_at: record.access_expires_at,
        renew_at: record.renew_at.unwrap_or(record.access_expires_at),
    };
    let version = item.version.unwrap_or_default();
    Ok(StoredSession { hash: hash.to_owned(), session, sealed: record.sealed, version })
}

impl Store {
    /// The session whose cookie has that hash, whatever it is still good for.
    ///
    /// # Errors
    /// The table failed.
    pub async fn session(&self, hash: &str) -> Result<Option<StoredSession>, AppError> {
        self.table.get(&keys::session(hash)).await?.map(|item| read(hash, &item)).transpose()
    }

    /// Writes a session, new or changed: its version is the one that was read, and 0 for a new one. False
    /// when somebody else wrote or ended it first.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_session(&self, stored: &mut StoredSession) -> Result<bool, AppError> {
        let condition = if stored.version == 0 { Condition::NotExists } else { Condition::Version(stored.version) };
        let next = StoredSession { version: stored.version + 1, ..stored.clone() };
        let saved = done(self.table.write(Write::Put(item(&next), condition)).await)?;
        if saved {
            *stored = next;
        }
        Ok(saved)
    }

    /// Ends a session, whatever was made of it meanwhile.
    ///
    /// # Errors
    /// The table failed.
    pub async fn end_session(&self, hash: &str) -> Result<(), AppError> {
        Ok(self.table.write(Write::Delete(keys::session(hash), Condition::None)).await?)
    }

    /// Ends a session as it was read. False when it was changed meanwhile.
    ///
    /// # Errors
    /// The table failed.
    pub async fn end_session_version(&self, stored: &StoredSession) -> Result<bool, AppError> {
        let condition = Condition::Version(stored.version);
        done(self.table.write(Write::Delete(keys::session(&stored.hash), condition)).await)
    }
}

/// Whether the write's condition held.
fn done(result: Result<(), TableError>) -> Result<bool, AppError> {
    match result {
        Ok(()) => Ok(true),
        Err(TableError::Condition { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
