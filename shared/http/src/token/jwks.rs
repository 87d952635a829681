//! Reading a JWKS (RFC 7517).

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::PortError;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

const MAX_BYTES: usize = 256 * 1024;
/// Most keys of a set. Issuers have two to four.
pub(super) const KEYS_MAX: usize = 64;

/// Keys by their ids.
pub(super) type Keys = BTreeMap<String, Arc<IssuerKey>>;

/// A key of the issuer, and the one algorithm it is good for.
pub(super) struct IssuerKey {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    #[serde(flatten)]
    material: Material,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

/// RFC 7518, sections 6.2 and 6.3.
#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
}

/// The keys of a JWKS that can check RS256 or ES256. Keys of other kinds are passed over: an issuer may
/// have them for other uses.
///
/// # Errors
/// It is none, or too large, or has no such key: an issuer that shows nothing of use is not believed to have
/// withdrawn everything.
pub(super) fn read(jwks: &str) -> Result<Keys, PortError> {
    if jwks.len() > MAX_BYTES {
        return Err(PortError::new("jwks.read", format!("it is longer than {MAX_BYTES} bytes")));
    }
    let jwks: Jwks = serde_json::from_str(jwks).map_err(|e| PortError::new("jwks.read", e.to_string()))?;
    if jwks.keys.len() > KEYS_MAX {
        return Err(PortError::new("jwks.read", format!("it has more than {KEYS_MAX} keys")));
    }
    let keys: Keys = jwks.keys.into_iter().filter_map(usable).collect();
    if keys.is_empty() {
        return Err(PortError::new("jwks.read", "it has no key for RS256 or ES256"));
    }
    Ok(keys)
}

fn usable(jwk: Value) -> Option<(String, Arc<IssuerKey>)> {
    let Jwk { kid, material, alg, purpose } = Jwk::deserialize(jwk).ok()?;
    let (algorithm, name, decoding) = match material {
        Material::Rsa { n, e } => (Algorithm::RS256, "RS256", DecodingKey::from_rsa_components(&n, &e).ok()?),
        Material::Ec { crv, x, y } if crv == "P-256" => {
            (Algorithm::ES256, "ES256", DecodingKey::from_ec_components(&x, &y).ok()?)
        }
        Material::Ec { .. } => return None,
    };
    let signs = alg.is_none_or(|alg| alg == name) && purpose.is_none_or(|purpose| purpose == "sig");
    signs.then(|| (kid, Arc::new(IssuerKey { algorithm, decoding })))
}
