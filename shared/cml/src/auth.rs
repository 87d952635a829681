//! Signing in: the token, how long it is good for, and once more when CML disowns it.

use std::sync::Arc;

use app::ports::{Clock, CmlCredentials, CmlError, CmlErrorKind, CmlLogins};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{SignedDuration, Timestamp};
use futures::lock::Mutex;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cache::Connection;
use crate::call::Call;
use crate::certificate::sha256_hex;
use crate::errors::malformed;
use crate::json::number;
use crate::token::Token;
use crate::transport::{self, BODY_BYTES, Transport};

/// A token is not used in the last minute of its life: a call may take a while.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// For so long a controller that refused the current credentials is not offered them again: it takes the
/// previous ones until somebody changes the password there.
const PREVIOUS_KEPT: SignedDuration = SignedDuration::from_mins(10);
const TOKEN_BYTES: usize = 8_192;

/// Calls under one sign-in; however many of them are told 401, it signs in again once.
pub(crate) struct Session<'a> {
    connection: Arc<Connection>,
    credentials: &'a CmlLogins,
    clock: Arc<dyn Clock>,
    first: Arc<Token>,
    second: Mutex<Option<Result<Arc<Token>, CmlError>>>,
}

impl<'a> Session<'a> {
    pub(crate) async fn begin(
        connection: Arc<Connection>,
        credentials: &'a CmlLogins,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CmlError> {
        let first = match connection.token.usable(&fingerprint(credentials), clock.now()) {
            Some(token) => token,
            None => sign_in(&connection, credentials, clock.as_ref()).await?,
        };
        Ok(Self { connection, credentials, clock, first, second: Mutex::new(None) })
    }

    /// Sends the call; the answer is a success, its body still to be read. After a 401, which CML
    /// gives before it does anything, it is sent once more, and never after anything else.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, CmlError> {
        match self.transport().send(call, Some(&self.first.text)).await {
            Err(error) if error.status == Some(401) => {
                let second = self.sign_in_again().await?;
                self.transport().send(call, Some(&second.text)).await
            }
            other => other,
        }
    }

    /// The same, but errors of CML's are answers too.
    pub(crate) async fn exchange(&self, call: &Call) -> Result<Response, CmlError> {
        let answer = self.transport().exchange(call, Some(&self.first.text)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let second = self.sign_in_again().await?;
        self.transport().exchange(call, Some(&second.text)).await
    }

    /// Sends a call whose answer says nothing but yes.
    pub(crate) async fn change(&self, call: &Call) -> Result<(), CmlError> {
        // What it may say beside is not waited for: it is done.
        self.send(call).await.map(drop)
    }

    /// The JSON answer, if it is of ordinary size.
    pub(crate) async fn json(&self, call: &Call) -> Result<Value, CmlError> {
        self.json_up_to(BODY_BYTES, call).await
    }

    /// The JSON answer, if it is no larger than that.
    pub(crate) async fn json_up_to(&self, cap: usize, call: &Call) -> Result<Value, CmlError> {
        crate::json::parse(call.operation, &self.bytes_up_to(cap, call).await?)
    }

    /// The answer, if it is no larger than that.
    pub(crate) async fn bytes_up_to(&self, cap: usize, call: &Call) -> Result<Vec<u8>, CmlError> {
        transport::read_up_to(cap, call.operation, self.send(call).await?).await
    }

    /// The way to the controller, for what is asked without a token.
    pub(crate) fn transport(&self) -> &Transport {
        &self.connection.transport
    }

    async fn sign_in_again(&self) -> Result<Arc<Token>, CmlError> {
        let mut second = self.second.lock().await;
        if second.is_none() {
            self.connection.token.set(None);
            *second = Some(sign_in(&self.connection, self.credentials, self.clock.as_ref()).await);
        }
        second.clone().unwrap_or_else(|| Ok(Arc::clone(&self.first)))
    }

    /// The CML user that these credentials are of, from the token.
    pub(crate) async fn user_id(&self) -> Option<String> {
        match self.second.lock().await.as_ref() {
            Some(Ok(token)) => token.user_id.clone(),
            _ => self.first.user_id.clone(),
        }
    }
}

/// Signs in, and keeps the token. With the previous credentials only where the current ones are refused.
async fn sign_in(connection: &Connection, logins: &CmlLogins, clock: &dyn Clock) -> Result<Arc<Token>, CmlError> {
    let refused = |error: &CmlError| error.kind == CmlErrorKind::Denied;
    let mut token = match (ask_for_token(&connection.transport, &logins.current).await, &logins.previous) {
        (Err(error), Some(previous)) if refused(&error) => {
            // Refused too, they say nothing new.
            let mut token = ask_for_token(&connection.transport, previous)
                .await
                .map_err(|other| if refused(&other) { error } else { other })?;
            token.usable_until = token.usable_until.map(|until| until.min(clock.now() + PREVIOUS_KEPT));
            token
        }
        (answer, _) => answer?,
    };
    token.credentials = fingerprint(logins);
    let token = Arc::new(token);
    connection.token.set(Some(Arc::clone(&token)));
    Ok(token)
}

async fn ask_for_token(transport: &Transport, credentials: &CmlCredentials) -> Result<Token, CmlError> {
    let body = json!({ "username": credentials.username, "password": credentials.password });
    let call = Call::new(CmlError::SIGN_IN)?.json(body);
    let answer = transport.send(&call, None).await.map_err(|error| match error.status {
        // What CML finds invalid here is the name or the password.
        Some(400) => CmlError { kind: CmlErrorKind::Denied, ..error },
        _ => error,
    })?;
    let answer = transport::read(call.operation, answer).await?;
    let Value::String(text) = crate::json::parse(call.operation, &answer)? else {
        return Err(malformed(call.operation, "its answer is not a token"));
    };
    if text.is_empty() || text.len() > TOKEN_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(call.operation, "its answer is not a token"));
    }
    let claims = claims(&text);
    Ok(Token {
        // Without a lifetime it is used for this reading and not kept.
        usable_until: claims.as_ref().and_then(usable_until),
        user_id: claims.and_then(|claims| Some(claims.get("sub")?.as_str()?.to_owned())),
        credentials: String::new(),
        text,
    })
}

/// The claims of a JWT, not verified: it is only handed back to whoever issued it.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn usable_until(claims: &Value) -> Option<Timestamp> {
    // As a float it saturates, and `from_second` refuses what is out of range.
    let expires = Timestamp::from_second(number(claims.get("exp")?)? as i64).ok()?;
    expires.checked_sub(MARGIN).ok()
}

/// Tells credentials apart without keeping them.
fn fingerprint(logins: &CmlLogins) -> String {
    let spelled = |one: &CmlCredentials| format!("{}\0{}\0", one.username, one.password);
    let previous = logins.previous.as_ref().map(spelled).unwrap_or_default();
    sha256_hex(format!("{}{previous}", spelled(&logins.current)).as_bytes())
}
