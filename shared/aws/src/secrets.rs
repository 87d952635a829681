//! CML credentials and licence tokens in Secrets Manager, one secret for each reference.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use app::ports::{Clock, CmlCredentials, CmlLogins, LicenseToken, PortError, Secrets};
use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use domain::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error::port_error;

/// A read costs money, and each worker is read each round: what was read, or was not there, is good for so
/// long. Not for longer, because who sets a password here changes it in CML next.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(1);
/// References remembered at once.
const KEPT_MOST: usize = 256;

const GET: &str = "secretsmanager.GetSecretValue";
const PUT: &str = "secretsmanager.PutSecretValue";
const CREATE: &str = "secretsmanager.CreateSecret";
const DELETE: &str = "secretsmanager.DeleteSecret";
/// What Secrets Manager calls the value before the current one.
const PREVIOUS: &str = "AWSPREVIOUS";

/// CML credentials in Secrets Manager, as JSON at `<stack>/cml-credentials/<reference>`, and licence tokens,
/// as they are, at `<stack>/license-tokens/<reference>`.
pub struct SecretsManagerSecrets {
    client: Client,
    stack: String,
    clock: Arc<dyn Clock>,
    kept: Mutex<BTreeMap<String, Kept>>,
}

#[derive(Clone)]
struct Kept {
    credentials: Option<CmlLogins>,
    until: Timestamp,
}

impl fmt::Debug for SecretsManagerSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManagerSecrets").field("stack", &self.stack).finish_non_exhaustive()
    }
}

impl SecretsManagerSecrets {
    /// The secrets of the stack of that name. `clock` is machine time.
    #[must_use]
    pub fn new(client: Client, stack: String, clock: Arc<dyn Clock>) -> Self {
        Self { client, stack, clock, kept: Mutex::default() }
    }

    fn name(&self, reference: &str) -> String {
        format!("{}/cml-credentials/{reference}", self.stack)
    }

    fn token_name(&self, reference: &str) -> String {
        format!("{}/license-tokens/{reference}", self.stack)
    }

    fn kept(&self, reference: &str) -> Option<Option<CmlLogins>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(reference).filter(|kept| kept.until > self.clock.now()).map(|kept| kept.credentials.clone())
    }

    fn keep(&self, reference: &str, credentials: Option<CmlLogins>) {
        let now = self.clock.now();
        let until = now + KEPT_FOR;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| kept.until > now);
        if kept.len() < KEPT_MOST {
            kept.insert(reference.to_owned(), Kept { credentials, until });
        }
    }

    fn forget(&self, reference: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
    }

    async fn read(&self, reference: &str) -> Result<Option<CmlLogins>, PortError> {
        let name = self.name(reference);
        let Some(current) = self.value(&name, None).await? else { return Ok(None) };
        // A previous value that nobody can read is none: it is only a second chance.
        let previous = self.value(&name, Some(PREVIOUS)).await?.and_then(|text| parse(&text).ok());
        Ok(Some(CmlLogins { current: parse(&current)?, previous }))
    }

    /// The secret's text of that stage, the current one by default; null when there is none.
    async fn value(&self, name: &str, stage: Option<&str>) -> Result<Option<String>, PortError> {
        let call = self.client.get_secret_value().secret_id(name).set_version_stage(stage.map(str::to_owned));
        match call.send().await {
            Ok(answer) => Ok(Some(answer.secret_string().unwrap_or_default().to_owned())),
            Err(error) if has_code(&error, "ResourceNotFoundException") => Ok(None),
            Err(error) => Err(port_error(GET, error)),
        }
    }

    /// Writes a secret, which is made if there is none.
    async fn write(&self, name: &str, text: &str, description: &str) -> Result<(), PortError> {
        let written =
            self.put(name, text).await? || self.create(name, text, description).await? || self.put(name, text).await?;
        if written { Ok(()) } else { Err(PortError::new(PUT, format!("the secret {name} comes and goes"))) }
    }

    /// False when there is no secret of that name yet.
    async fn put(&self, name: &str, text: &str) -> Result<bool, PortError> {
        match self.client.put_secret_value().secret_id(name).secret_string(text).send().await {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "ResourceNotFoundException") => Ok(false),
            Err(error) => Err(port_error(PUT, error)),
        }
    }

    /// False when somebody made it in the meantime.
    async fn create(&self, name: &str, text: &str, description: &str) -> Result<bool, PortError> {
        let call = self.client.create_secret().name(name).secret_string(text);
        match call.description(description).send().await {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "ResourceExistsException") => Ok(false),
            Err(error) => Err(port_error(CREATE, error)),
        }
    }
}

#[async_trait]
impl Secrets for SecretsManagerSecrets {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlLogins>, PortError> {
        if let Some(credentials) = self.kept(reference) {
            return Ok(credentials);
        }
        let credentials = self.read(reference).await?;
        self.keep(reference, credentials.clone());
        Ok(credentials)
    }

    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError> {
        let name = self.name(reference);
        // What is kept here may be a minute old. What nobody can read is replaced.
        let current = self.value(&name, None).await?.and_then(|text| parse(&text).ok());
        let written = match current {
            Some(current) if current == *credentials => Ok(()),
            _ => self.write(&name, &spell(credentials), "CML credentials of CML Cloud Manager").await,
        };
        self.forget(reference);
        written
    }

    async fn put_token(&self, reference: &str, token: &LicenseToken) -> Result<(), PortError> {
        self.write(&self.token_name(reference), &token.0, "A licence token on its way to a CML controller").await
    }

    async fn token(&self, reference: &str) -> Result<Option<LicenseToken>, PortError> {
        Ok(self.value(&self.token_name(reference), None).await?.map(LicenseToken))
    }

    async fn delete_token(&self, reference: &str) -> Result<(), PortError> {
        // Nobody wants a used token back, and while it may be restored its name is taken.
        let call =
            self.client.delete_secret().secret_id(self.token_name(reference)).force_delete_without_recovery(true);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if has_code(&error, "ResourceNotFoundException") => Ok(()),
            Err(error) => Err(port_error(DELETE, error)),
        }
    }
}

fn spell(credentials: &CmlCredentials) -> String {
    json!({"username": credentials.username, "password": credentials.password}).to_string()
}

/// Never says what it read: that is a secret, even when it is malformed.
fn parse(text: &str) -> Result<CmlCredentials, PortError> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match (field("username"), field("password")) {
        (Some(username), Some(password)) => Ok(CmlCredentials { username, password }),
        _ => Err(PortError::new(GET, "the secret is not JSON with the texts username and password")),
    }
}

fn has_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(code)
}

#[cfg(test)]
mod tests;
