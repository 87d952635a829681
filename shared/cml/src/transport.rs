//! One HTTPS connection pool to one controller: no redirects, no proxy, bounded in time and bytes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use app::ports::{CmlError, CmlErrorKind};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, Url};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;

use crate::call::{Body, Call};
use crate::certificate::PinnedCertificate;
use crate::errors::{failure, from_answer, from_transport, malformed};

/// The most that is read of an ordinary answer.
pub(crate) const BODY_BYTES: usize = 1024 * 1024;
/// The most that is read of an error's explanation.
const ERROR_BYTES: usize = 64 * 1024;

/// How long a controller may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To take the connection.
    pub connect: Duration,
    /// For one whole call that reads, connection and body included.
    pub total: Duration,
    /// For one whole call that changes something: CML answers some only when it is done, and a call
    /// given up may be carried out all the same.
    pub change: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10), change: Duration::from_secs(30) }
    }
}

/// A way to one controller.
pub(crate) struct Transport {
    client: reqwest::Client,
    verifier: Arc<PinnedCertificate>,
    origin: Url,
    timeouts: Timeouts,
}

impl Transport {
    pub(crate) fn new(
        endpoint: &str,
        pin: Option<&str>,
        timeouts: Timeouts,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, CmlError> {
        let origin = origin(endpoint)?;
        let verifier = Arc::new(PinnedCertificate::new(Arc::clone(provider), pin));
        let unusable = |cause: &dyn std::fmt::Display| {
            failure("connect", CmlErrorKind::Refused, format!("the TLS client cannot be made: {cause}"))
        };
        let mut tls = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_no_client_auth();
        // A resumed session shows no certificate.
        tls.resumption = Resumption::disabled();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            // A function holds hundreds of these at a time, and has a thousand file descriptors.
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(15))
            .user_agent("cml-cloud-manager")
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self { client, verifier, origin, timeouts })
    }

    /// SHA-256 of the certificate the controller showed.
    pub(crate) fn certificate(&self) -> Option<String> {
        self.verifier.accepted()
    }

    /// Sends the call, once; the answer is a success, its body still to be read.
    pub(crate) async fn send(&self, call: &Call, token: Option<&str>) -> Result<Response, CmlError> {
        let response = self.exchange(call, token).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // The status tells enough when the explanation cannot be read.
        let explanation = read_up_to(ERROR_BYTES, call.operation, response).await.unwrap_or_default();
        Err(from_answer(call.operation, status, &explanation))
    }

    /// Sends the call, once; the answer may be an error of CML's.
    pub(crate) async fn exchange(&self, call: &Call, token: Option<&str>) -> Result<Response, CmlError> {
        let mut request = self.client.request(call.method.clone(), self.url(call)?);
        request = match &call.body {
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::Raw(None, body) => request.body(body.clone()),
            Body::Raw(Some(content_type), body) => request.header(CONTENT_TYPE, content_type).body(body.clone()),
        };
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !call.reads() && call.operation != CmlError::SIGN_IN {
            request = request.timeout(self.timeouts.change);
        }
        if call.bulk {
            request = request.timeout(self.timeouts.total * 2);
        }
        let refused = self.verifier.refused();
        request.send().await.map_err(|error| {
            if self.verifier.refused() > refused {
                let message = "it shows another certificate than the one recorded; \
                               an administrator must confirm the new one";
                return failure(call.operation, CmlErrorKind::CertificateChanged, message);
            }
            from_transport(call.operation, &error)
        })
    }

    fn url(&self, call: &Call) -> Result<Url, CmlError> {
        self.origin.join(&call.path).map_err(|error| failure("connect", CmlErrorKind::Refused, error.to_string()))
    }
}

/// The whole body, if it is of an ordinary size.
pub(crate) async fn read(operation: &'static str, response: Response) -> Result<Vec<u8>, CmlError> {
    read_up_to(BODY_BYTES, operation, response).await
}

/// The whole body, if it is no larger than that.
pub(crate) async fn read_up_to(cap: usize, operation: &'static str, response: Response) -> Result<Vec<u8>, CmlError> {
    let mut whole = Vec::new();
    read_chunks(operation, response, cap, |chunk| {
        whole.extend_from_slice(chunk);
        Ok(())
    })
    .await?;
    Ok(whole)
}

/// Hands the body on as it arrives. What arrives is counted; what Content-Length promises is not believed.
pub(crate) async fn read_chunks(
    operation: &'static str,
    mut response: Response,
    cap: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), CmlError>,
) -> Result<(), CmlError> {
    let mut left = cap;
    while let Some(chunk) = response.chunk().await.map_err(|error| from_transport(operation, &error))? {
        left = left
            .checked_sub(chunk.len())
            .ok_or_else(|| malformed(operation, format!("its answer is larger than {cap} bytes")))?;
        take(&chunk)?;
    }
    Ok(())
}

/// `https://host[:port]` and nothing more; never the link-local addresses where clouds keep secrets.
fn origin(endpoint: &str) -> Result<Url, CmlError> {
    let refused = |message: &str| failure("connect", CmlErrorKind::Refused, format!("{endpoint} {message}"));
    let url = Url::parse(endpoint).map_err(|error| refused(&format!("is not a URL: {error}")))?;
    if url.scheme() != "https" {
        return Err(refused("is not an https address; CML is only spoken to over TLS"));
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    let Some(host) = url.host_str().filter(|_| bare) else {
        // Not repeated: it may hold a password.
        return Err(failure("connect", CmlErrorKind::Refused, "the endpoint must be https://host[:port] and no more"));
    };
    let link_local = match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(ip)) => ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_link_local()),
        Err(_) => false,
    };
    if link_local { Err(refused("is a link-local address")) } else { Ok(url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_https_origin_and_nothing_else() {
        for good in ["https://192.0.2.7", "https://192.0.2.7:8443/", "https://[2001:db8::1]", "https://cml.example.com"]
        {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "192.0.2.7",
            "http://192.0.2.7",
            "https://root:pass@192.0.2.7",
            "https://192.0.2.7/api",
            "https://192.0.2.7?x=1",
            "https://169.254.169.254",
            "https://0xa9fea9fe",
            "https://[fe80::1]",
            "https://[::ffff:169.254.169.254]",
        ] {
            assert_eq!(origin(bad).unwrap_err().kind, CmlErrorKind::Refused, "{bad}");
        }
        assert!(!origin("https://root:pass@192.0.2.7").unwrap_err().message.contains("pass"));
    }
}
