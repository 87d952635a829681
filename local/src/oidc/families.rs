//! Refresh tokens: each is good once and gives the next. One that is used again was stolen or is used by two
//! at once; either way its whole family ends, as with Keycloak's "Revoke Refresh Token" and RFC 9700, 4.14.2.

use std::sync::{Mutex, PoisonError};

use local_state::{Documents, StateError};
use serde::{Deserialize, Serialize};

const KIND: &str = "oidc-family";

/// The families of refresh tokens, kept with the rest of the local state.
pub(super) struct Families(Mutex<Documents>);

#[derive(Serialize, Deserialize)]
struct Family {
    /// The one token of it that is good.
    token: String,
    expires: i64,
}

impl Families {
    pub(super) fn new(documents: Documents) -> Self {
        Self(Mutex::new(documents))
    }

    /// Makes `token` the one that is good, in place of `before`; none begins the family. False, and the end
    /// of the family, when `before` is not the one.
    pub(super) fn turn(
        &self,
        family: &str,
        before: Option<&str>,
        token: &str,
        now: i64,
        expires: i64,
    ) -> Result<bool, StateError> {
        let documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, old) in documents.all::<Family>(KIND)? {
            if old.expires <= now {
                documents.delete(KIND, &id)?;
            }
        }
        let is = documents.get::<Family>(KIND, family)?.map(|family| family.token);
        if is.as_deref() != before {
            documents.delete(KIND, family)?;
            return Ok(false);
        }
        documents.put(KIND, family, &Family { token: token.to_owned(), expires })?;
        Ok(true)
    }

    /// Ends a family.
    pub(super) fn end(&self, family: &str) -> Result<(), StateError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).delete(KIND, family)
    }
}
