//! CML credentials, kept where the rest of the simulated world is kept.

use app::error::PortError;
use app::ports::{CmlCredentials, Secrets};
use async_trait::async_trait;
use local_state::{Documents, StateError};
use serde::{Deserialize, Serialize};

const KIND: &str = "secret";

/// What Secrets Manager is in AWS.
#[derive(Clone)]
pub(crate) struct LocalSecrets(Documents);

#[derive(Serialize, Deserialize)]
struct Stored {
    username: String,
    password: String,
}

impl LocalSecrets {
    /// Secrets in these documents.
    #[must_use]
    pub(crate) fn new(documents: Documents) -> Self {
        Self(documents)
    }

    /// Sets the credentials of a reference that has none yet.
    ///
    /// # Errors
    /// They could not be read or written.
    pub(crate) fn seed(&self, reference: &str, username: &str, password: &str) -> Result<(), StateError> {
        if self.0.get::<Stored>(KIND, reference)?.is_some() {
            return Ok(());
        }
        self.0.put(KIND, reference, &Stored { username: username.into(), password: password.into() })
    }
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlCredentials>, PortError> {
        let stored: Option<Stored> =
            self.0.get(KIND, reference).map_err(|e| PortError::new("secretsmanager.GetSecretValue", e.to_string()))?;
        Ok(stored.map(|s| CmlCredentials { username: s.username, password: s.password }))
    }

    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError> {
        let stored = Stored { username: credentials.username.clone(), password: credentials.password.clone() };
        self.0.put(KIND, reference, &stored).map_err(|e| PortError::new("secretsmanager.PutSecretValue", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seed_never_overwrites_what_was_set() {
        let secrets = LocalSecrets::new(Documents::in_memory().unwrap());
        secrets.seed("fleet", "poller", "first").unwrap();
        let own = CmlCredentials { username: "poller".into(), password: "own".into() };
        secrets.set_cml_credentials("fleet", &own).await.unwrap();
        secrets.seed("fleet", "poller", "second").unwrap();
        assert_eq!(secrets.cml_credentials("fleet").await.unwrap(), Some(own));
        assert_eq!(secrets.cml_credentials("other").await.unwrap(), None);
    }
}
