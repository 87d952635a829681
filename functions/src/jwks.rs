//! The issuer's keys, over HTTP.

use app::ports::PortError;
use async_trait::async_trait;
use http_api::token::KeySource;

use crate::https::{IssuerHttp, failed, text};

/// Keys take a few kilobytes; an issuer that sends more is not one.
const MAX_BYTES: usize = 256 * 1024;
const FETCH: &str = "jwks.fetch";

/// The keys at an address.
pub struct HttpKeys {
    client: reqwest::Client,
    url: String,
}

impl HttpKeys {
    /// Keys at `jwks_url`.
    #[must_use]
    pub fn new(jwks_url: String, http: &IssuerHttp) -> Self {
        Self { client: http.0.clone(), url: jwks_url }
    }
}

#[async_trait]
impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<String, PortError> {
        let response = self.client.get(&self.url).send().await.map_err(|error| failed(FETCH, error))?;
        if !response.status().is_success() {
            return Err(PortError::new(FETCH, format!("status {}", response.status())));
        }
        text(FETCH, response, MAX_BYTES).await
    }
}

#[cfg(test)]
mod tests;
