//! How the issuer is called: short timeouts, no redirects, bounded answers.

use std::time::Duration;

use app::ports::PortError;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// Most that a call may take, to the last byte of its answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the issuer is called with: one set of connections and trusted certificates for all that call it.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct IssuerHttp(pub(crate) Client);

impl IssuerHttp {
    /// A client for the issuer.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn new() -> Result<Self, PortError> {
        client_within(TIMEOUT).map(Self)
    }
}

/// A client with that time for a call.
///
/// # Errors
/// It cannot be built.
pub(crate) fn client_within(timeout: Duration) -> Result<Client, PortError> {
    let failed = |message: String| PortError::new("issuer.client", message);
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots())
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(2)))
        // A redirect would let whoever answers choose where keys come from and where tokens go.
        .redirect(Policy::none())
        .build()
        .map_err(|error| failed(error.to_string()))
}

/// The Mozilla roots: an issuer may have its certificate from anyone (unlike AWS's own endpoints).
fn roots() -> rustls::RootCertStore {
    rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// The body of an answer, if it is text of at most so many bytes.
pub(crate) async fn text(
    operation: &'static str,
    mut response: Response,
    max_bytes: usize,
) -> Result<String, PortError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(operation, error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(PortError::new(operation, format!("more than {max_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| PortError::new(operation, "not text"))
}

/// A call that failed, without its address: that may hold more than a log should.
pub(crate) fn failed(operation: &'static str, error: reqwest::Error) -> PortError {
    PortError::new(operation, error.without_url().to_string())
}
