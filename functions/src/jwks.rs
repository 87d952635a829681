//! The issuer's keys, over HTTP.

use std::time::Duration;

use app::error::PortError;
use async_trait::async_trait;
use http_api::auth::KeySource;
use reqwest::redirect::Policy;

/// Keys take a few kilobytes; an issuer that sends more is not one.
const MAX_BYTES: usize = 256 * 1024;

/// The keys at an address.
pub struct HttpKeys {
    client: reqwest::Client,
    url: String,
}

impl HttpKeys {
    /// Keys at `jwks_url`.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(jwks_url: String) -> Result<Self, PortError> {
        let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| PortError::new("jwks.client", error.to_string()))?
            .with_root_certificates(roots())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(Duration::from_secs(5))
            .connect_timeout(Duration::from_secs(2))
            // A redirect would let whoever answers choose the keys' source.
            .redirect(Policy::none())
            .build()
            .map_err(|error| PortError::new("jwks.client", error.to_string()))?;
        Ok(Self { client, url: jwks_url })
    }
}

/// The Mozilla roots: an issuer may have its certificate from anyone (unlike AWS's own endpoints).
fn roots() -> rustls::RootCertStore {
    rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

#[async_trait]
impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<String, PortError> {
        let failed = |error: reqwest::Error| PortError::new("jwks.fetch", error.without_url().to_string());
        let mut response =
            self.client.get(&self.url).send().await.map_err(failed)?.error_for_status().map_err(failed)?;
        if !response.status().is_success() {
            return Err(PortError::new("jwks.fetch", format!("status {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(PortError::new("jwks.fetch", format!("more than {MAX_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| PortError::new("jwks.fetch", "not text"))
    }
}
