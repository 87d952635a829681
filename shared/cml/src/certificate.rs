//! Trust by pin: a controller's certificate is self-signed, so the one it showed first is the one
//! it must show ever after.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};

/// Accepts one certificate, or, without a pin, any; tells which it was.
///
/// Whoever shows the certificate must prove to hold its key: the signature of the handshake is
/// checked in every case, so a copied certificate is worth nothing.
#[derive(Debug)]
pub(crate) struct PinnedCertificate {
    provider: Arc<CryptoProvider>,
    pin: Option<String>,
    accepted: Mutex<Option<String>>,
    refused: AtomicU64,
}

impl PinnedCertificate {
    pub(crate) fn new(provider: Arc<CryptoProvider>, pin: Option<&str>) -> Self {
        let pin = pin.map(|pin| pin.replace(':', "").to_ascii_lowercase());
        Self { provider, pin, accepted: Mutex::new(None), refused: AtomicU64::new(0) }
    }

    /// The certificate accepted last, as its SHA-256 in hexadecimal.
    pub(crate) fn accepted(&self) -> Option<String> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many handshakes ended because of another certificate. A call that fails while this
    /// grows failed for that reason, whatever the text of the error.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }
}

impl ServerCertVerifier for PinnedCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = sha256_hex(end_entity);
        if self.pin.as_ref().is_some_and(|pin| *pin != shown) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
