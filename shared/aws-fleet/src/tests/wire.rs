//! A stand-in for the wire: answers in order, and what was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use percent_encoding::percent_decode_str;

use super::home;
use crate::{AccountRole, FixedRoles, FleetClients};

/// What comes back.
pub(super) enum Answer {
    Http(u16, Vec<u8>),
    Broken,
    Late,
}

impl Answer {
    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Http(200, body.into())
    }

    /// EC2's way to refuse.
    pub(super) fn refusal(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>r</RequestID></Response>"
        );
        Self::Http(status, body.into_bytes())
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) host: String,
    pub(super) body: Vec<u8>,
    pub(super) authorization: String,
}

impl Asked {
    /// The form, a parameter on each line.
    pub(super) fn form(&self) -> String {
        let body = String::from_utf8(self.body.clone()).unwrap();
        let decoded = |pair: &str| percent_decode_str(&pair.replace('+', " ")).decode_utf8().unwrap().into_owned();
        body.split('&').map(decoded).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn has(&self, parameter: &str) -> bool {
        self.form().lines().any(|line| line == parameter)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Wire {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

impl Wire {
    pub(super) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Clients on this wire, with one role of another account.
    pub(super) fn clients(&self, roles: impl IntoIterator<Item = (&'static str, AccountRole)>) -> Arc<FleetClients> {
        let connector = SharedHttpConnector::new(self.clone());
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("HOME", "s", None, None, "test")))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .retry_config(RetryConfig::disabled())
            .build();
        let roles = FixedRoles(roles.into_iter().map(|(account, role)| (account.parse().unwrap(), role)).collect());
        Arc::new(FleetClients::new(&config, home().account, "run-operation", Arc::new(roles)))
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let host = request.uri().trim_start_matches("https://").split('/').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap().to_vec();
        let authorization = request.headers().get("authorization").unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(Asked { host, body, authorization });
        HttpConnectorFuture::ready(match self.answers.lock().unwrap().pop_front() {
            Some(Answer::Http(status, body)) => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
            Some(Answer::Late) => Err(ConnectorError::timeout("late".into())),
            Some(Answer::Broken) => Err(ConnectorError::io("broken".into())),
            None => Err(ConnectorError::user("nobody expected this call".into())),
        })
    }
}
