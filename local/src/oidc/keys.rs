//! The signing key: made once, kept with the rest of the local state.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use local_state::{Documents, StateError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const KIND: &str = "oidc";
const ID: &str = "signing-key";

/// The issuer cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key could not be read or kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// No key could be made.
    #[error("the signing key cannot be made")]
    Generate,
    /// The key cannot be used.
    #[error("the signing key cannot be used: {0}")]
    Key(#[from] jsonwebtoken::errors::Error),
    /// No such user.
    #[error("there is no such user")]
    NoUser,
}

/// An RSA key that signs with RS256.
pub(super) struct SigningKey {
    id: String,
    private: EncodingKey,
    public: DecodingKey,
    jwks: Value,
}

impl SigningKey {
    /// The key that is kept, or a new one that is kept from now on.
    pub(super) fn open(documents: &Documents) -> Result<Self, KeyError> {
        match documents.get::<String>(KIND, ID)? {
            Some(pem) => Self::from_pem(&pem),
            None => {
                let pem = generate()?;
                documents.put(KIND, ID, &pem)?;
                Self::from_pem(&pem)
            }
        }
    }

    fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let private = EncodingKey::from_rsa_pem(pem.as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::RS256)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk)?;
        let jwks = json!(JwkSet { keys: vec![jwk] });
        Ok(Self { id, private, public, jwks })
    }

    /// The public key, for everybody.
    pub(super) fn jwks(&self) -> Value {
        self.jwks.clone()
    }

    /// A signed token.
    pub(super) fn sign<T: Serialize>(&self, claims: &T) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::RS256) };
        Ok(jsonwebtoken::encode(&header, claims, &self.private)?)
    }

    /// The claims of a token that this key signed. Times are the caller's to check.
    pub(super) fn verify<T: DeserializeOwned + Clone>(&self, token: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode(token, &self.public, &validation).ok().map(|data| data.claims)
    }
}

fn generate() -> Result<String, KeyError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Generate)?;
    let text = STANDARD.encode(der.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    Ok(pem)
}
