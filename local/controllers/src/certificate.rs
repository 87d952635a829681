//! The self-signed certificate a controller makes at its first boot and shows ever after.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("certificate: {0}")]
    Read(#[from] rustls::pki_types::pem::Error),
    #[error("certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// A new certificate and its key, as PEM.
pub(crate) fn self_signed() -> Result<(String, String), CertificateError> {
    let names = ["cml-controller".to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

/// The TLS side of a server that shows it.
pub(crate) fn server_config(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, CertificateError> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    // Named, because a process with two providers linked in has no default.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}
