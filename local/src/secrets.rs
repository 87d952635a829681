//! CML credentials and licence tokens, kept where the rest of the simulated world is kept.

use app::ports::{CmlCredentials, CmlLogins, LicenseToken, PortError, Secrets};
use async_trait::async_trait;
use local_state::{Documents, StateError};
use serde::{Deserialize, Serialize};

const KIND: &str = "secret";
const TOKEN: &str = "license-token";

/// What Secrets Manager is in AWS.
#[derive(Clone)]
pub(crate) struct LocalSecrets(Documents);

#[derive(Serialize, Deserialize)]
struct Stored {
    username: String,
    password: String,
    #[serde(default)]
    previous: Option<Box<Self>>,
}

impl From<Stored> for CmlCredentials {
    fn from(stored: Stored) -> Self {
        Self { username: stored.username, password: stored.password }
    }
}

/// Called as the call of Secrets Manager is that it stands for.
fn failed(operation: &'static str) -> impl Fn(StateError) -> PortError {
    move |error| PortError::new(operation, error.to_string())
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
        self.0.put(KIND, reference, &Stored { username: username.into(), password: password.into(), previous: None })
    }
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlLogins>, PortError> {
        let stored: Option<Stored> = self.0.get(KIND, reference).map_err(failed("secretsmanager.GetSecretValue"))?;
        Ok(stored.map(|mut stored| {
            let previous = stored.previous.take().map(|previous| (*previous).into());
            CmlLogins { current: stored.into(), previous }
        }))
    }

    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError> {
        let failed = failed("secretsmanager.PutSecretValue");
        let before: Option<Stored> = self.0.get(KIND, reference).map_err(&failed)?;
        let (username, password) = (credentials.username.clone(), credentials.password.clone());
        if before.as_ref().is_some_and(|before| before.username == username && before.password == password) {
            return Ok(());
        }
        let previous = before.map(|before| Box::new(Stored { previous: None, ..before }));
        self.0.put(KIND, reference, &Stored { username, password, previous }).map_err(failed)
    }

    async fn put_token(&self, reference: &str, token: &LicenseToken) -> Result<(), PortError> {
        self.0.put(TOKEN, reference, &token.0).map_err(failed("secretsmanager.CreateSecret"))
    }

    async fn token(&self, reference: &str) -> Result<Option<LicenseToken>, PortError> {
        let token: Option<String> = self.0.get(TOKEN, reference).map_err(failed("secretsmanager.GetSecretValue"))?;
        Ok(token.map(LicenseToken))
    }

    async fn delete_token(&self, reference: &str) -> Result<(), PortError> {
        self.0.delete(TOKEN, reference).map_err(failed("secretsmanager.DeleteSecret"))
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
        let first = CmlCredentials { username: "poller".into(), password: "first".into() };
        let both = CmlLogins { current: own, previous: Some(first) };
        assert_eq!(secrets.cml_credentials("fleet").await.unwrap(), Some(both));
        assert_eq!(secrets.cml_credentials("other").await.unwrap(), None);
    }

    #[tokio::test]
    async fn secrets_of_this_machine_are_as_every_store_of_them_must_be() {
        app::testing::check_secrets(&LocalSecrets::new(Documents::in_memory().unwrap())).await.unwrap();
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_deleted() {
        let secrets = LocalSecrets::new(Documents::in_memory().unwrap());
        let token = LicenseToken("abc".into());
        secrets.put_token("op", &token).await.unwrap();
        assert_eq!(secrets.token("op").await.unwrap(), Some(token));
        for _ in 0..2 {
            secrets.delete_token("op").await.unwrap();
            assert_eq!(secrets.token("op").await.unwrap(), None);
        }
    }
}
