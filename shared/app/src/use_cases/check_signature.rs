//! Whose signed request that is: HMAC-SHA256 over everything the request says, once and now.
//!
//! What is signed, each part on a line of its own:
//!
//! ```text
//! CCM1-HMAC-SHA256
//! <method>
//! <path, as called>
//! <query: name=value, percent-encoded as in RFC 3986, sorted by name, joined by &>
//! <time, Unix seconds>
//! <nonce>
//! <SHA-256 of the body, hexadecimal>
//! ```

use std::collections::BTreeMap;

use domain::{ApiKey, ApiKeyId, SignedDuration, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::check_api_key::{CredentialError, note_use};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::Sealer;
use crate::secret::hash;
use crate::store::{KeySecret, SigningSecret, StoredKey};

/// How far the sender's clock may be from ours, either way.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(300);
/// A nonce is remembered for as long as its request could be sent again: the tolerance before and after.
const NONCE_KEPT: SignedDuration = SignedDuration::from_secs(2 * 300 + 60);

/// A signed request.
#[derive(Clone, Debug)]
pub struct SignedRequest<'a> {
    /// The key's id.
    pub key_id: &'a str,
    /// When it was signed: Unix seconds.
    pub time: &'a str,
    /// Used once, 16 to 64 visible ASCII characters.
    pub nonce: &'a str,
    /// The signature, hexadecimal.
    pub signature: &'a str,
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// The path as called.
    pub path: &'a str,
    /// Query parameters, decoded.
    pub query: &'a BTreeMap<String, String>,
    /// The body.
    pub body: &'a [u8],
}

/// The key that signed the request. Its nonce is taken only by a request that is known to be genuine.
///
/// # Errors
/// The signature, the time or the nonce is not right; or a port failed.
pub async fn check_signature(
    ctx: &Context,
    sealer: &dyn Sealer,
    request: &SignedRequest<'_>,
) -> Result<ApiKey, CredentialError> {
    let now = ctx.machine_clock.now();
    let refused = CredentialError::Refused;
    let signed_at = request.time.parse().ok().and_then(|secs| Timestamp::from_second(secs).ok());
    let signed_at = signed_at.ok_or_else(|| refused("The time of the signature must be in Unix seconds."))?;
    if signed_at.duration_since(now).abs() > CLOCK_TOLERANCE {
        return Err(refused("The signature is more than 300 seconds off. Check the clock, and sign again."));
    }
    if !(16..=64).contains(&request.nonce.len()) || !request.nonce.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refused("The nonce must have 16 to 64 visible ASCII characters."));
    }
    let unknown = || refused("The signature is not valid: of an unknown or revoked key, or of another request.");
    let id: ApiKeyId = request.key_id.parse().map_err(|_| unknown())?;
    let signature = from_hex(request.signature).ok_or_else(unknown)?;
    let (stored, last_use) = ctx.store.api_key(&id).await?.ok_or_else(unknown)?;
    let KeySecret::Signing(secrets) = &stored.secret else { return Err(unknown()) };
    let message = string_to_sign(request);
    if !is_signed_by_one(sealer, &id, secrets, now, &message, &signature).await? {
        return Err(unknown());
    }
    if stored.key.has_expired(now) {
        return Err(refused("The key has expired. Make a new one."));
    }
    if !ctx.store.take_nonce(&id, &hash(request.nonce), now, now + NONCE_KEPT).await? {
        return Err(refused("The nonce was used before. Sign each request with a new one."));
    }
    note_use(ctx, &id, last_use, now).await;
    Ok(stored.key)
}

async fn is_signed_by_one(
    sealer: &dyn Sealer,
    id: &ApiKeyId,
    secrets: &[SigningSecret],
    now: Timestamp,
    message: &str,
    signature: &[u8],
) -> Result<bool, AppError> {
    for secret in secrets.iter().filter(|secret| secret.valid_until.is_none_or(|end| now < end)) {
        let opened = sealer.open(&secret.sealed, &StoredKey::context(id)).await.map_err(AppError::Unavailable)?;
        // Compares in constant time.
        if mac(&opened, message).is_some_and(|mac| mac.verify_slice(signature).is_ok()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn mac(secret: &str, message: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(message.as_bytes());
    Some(mac)
}

/// The signature of a request, for those who send one.
#[must_use]
pub fn sign(secret: &str, request: &SignedRequest<'_>) -> String {
    mac(secret, &string_to_sign(request)).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default()
}

fn string_to_sign(request: &SignedRequest<'_>) -> String {
    let query: Vec<_> =
        request.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    [
        "CCM1-HMAC-SHA256",
        request.method,
        request.path,
        &query.join("&"),
        request.time,
        request.nonce,
        &hex(&Sha256::digest(request.body)),
    ]
    .join("\n")
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
