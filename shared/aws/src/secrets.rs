//! CML credentials in Secrets Manager, one secret for each reference.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use app::error::PortError;
use app::ports::{Clock, CmlCredentials, Secrets};
use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use domain::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error::port_error;

/// A read costs money, and each worker is read each round: what was read is good for so long.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Somebody who sees that there are none sets them, and does not want to wait.
const ABSENCE_KEPT_FOR: SignedDuration = SignedDuration::from_mins(1);
/// References remembered at once.
const KEPT_MOST: usize = 256;

const GET: &str = "secretsmanager.GetSecretValue";
const PUT: &str = "secretsmanager.PutSecretValue";
const CREATE: &str = "secretsmanager.CreateSecret";

/// CML credentials in Secrets Manager, as JSON at `<stack>/cml-credentials/<reference>`.
pub struct SecretsManagerSecrets {
    client: Client,
    stack: String,
    clock: Arc<dyn Clock>,
    kept: Mutex<BTreeMap<String, Kept>>,
}

#[derive(Clone)]
struct Kept {
    credentials: Option<CmlCredentials>,
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

    fn kept(&self, reference: &str) -> Option<Option<CmlCredentials>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(reference).filter(|kept| kept.until > self.clock.now()).map(|kept| kept.credentials.clone())
    }

    fn keep(&self, reference: &str, credentials: Option<CmlCredentials>) {
        let now = self.clock.now();
        let until = now + if credentials.is_some() { KEPT_FOR } else { ABSENCE_KEPT_FOR };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| kept.until > now);
        if kept.len() < KEPT_MOST {
            kept.insert(reference.to_owned(), Kept { credentials, until });
        }
    }

    fn forget(&self, reference: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
    }

    async fn read(&self, reference: &str) -> Result<Option<CmlCredentials>, PortError> {
        match self.client.get_secret_value().secret_id(self.name(reference)).send().await {
            Ok(answer) => parse(answer.secret_string().unwrap_or_default()).map(Some),
            Err(error) if has_code(&error, "ResourceNotFoundException") => Ok(None),
            Err(error) => Err(port_error(GET, error)),
        }
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
    async fn create(&self, name: &str, text: &str) -> Result<bool, PortError> {
        let call = self.client.create_secret().name(name).secret_string(text);
        match call.description("CML credentials of CML Cloud Manager").send().await {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "ResourceExistsException") => Ok(false),
            Err(error) => Err(port_error(CREATE, error)),
        }
    }
}

#[async_trait]
impl Secrets for SecretsManagerSecrets {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlCredentials>, PortError> {
        if let Some(credentials) = self.kept(reference) {
            return Ok(credentials);
        }
        let credentials = self.read(reference).await?;
        self.keep(reference, credentials.clone());
        Ok(credentials)
    }

    async fn set_cml_credentials(&self, reference: &str, credentials: &CmlCredentials) -> Result<(), PortError> {
        let (name, text) = (self.name(reference), spell(credentials));
        let written =
            self.put(&name, &text).await? || self.create(&name, &text).await? || self.put(&name, &text).await?;
        self.forget(reference);
        if written { Ok(()) } else { Err(PortError::new(PUT, format!("the secret {name} comes and goes"))) }
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
