//! An issuer of real RS256 tokens.

use std::sync::LazyLock;

use app::ports::PortError;
use async_trait::async_trait;
use domain::Role;
use http_api::token::{AuthConfig, KeySource, RoleRules};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::world::now;

pub(super) const ISSUER: &str = "https://issuer.example/realms/lab";
pub(super) const AUDIENCE: &str = "cml-cloud-manager-public";
const KEY_ID: &str = "of-the-issuer";

/// Making an RSA key takes a while: the issuer's and a forger's are made once.
static KEYS: LazyLock<[EncodingKey; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap()
    })
});

/// One token for each role.
static BY_ROLE: LazyLock<[String; 3]> = LazyLock::new(|| Role::ALL.map(|role| sign(&claims(role))));

/// What the authenticator is told of the issuer.
pub(crate) fn config() -> AuthConfig {
    AuthConfig {
        issuer: ISSUER.into(),
        audiences: vec![AUDIENCE.into()],
        leeway_secs: 60,
        roles: RoleRules::usual(&[AUDIENCE.into()]),
    }
}

/// The issuer's published keys.
pub(crate) struct Published;

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<String, PortError> {
        let mut jwk = Jwk::from_encoding_key(&KEYS[0], Algorithm::RS256).unwrap();
        jwk.common.key_id = Some(KEY_ID.into());
        Ok(serde_json::to_string(&JwkSet { keys: vec![jwk] }).unwrap())
    }
}

/// A token that gives this role, and is good for an hour.
pub(super) fn token(role: Role) -> &'static str {
    let at = Role::ALL.iter().position(|one| *one == role).unwrap();
    &BY_ROLE[at]
}

/// The claims of such a token.
pub(crate) fn claims(role: Role) -> Value {
    let now = now().as_second();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": format!("subject-of-{}", role.name()), "typ": "Bearer",
        "iat": now, "exp": now + 3600, "preferred_username": role.name(), "realm_access": {"roles": [role.name()]},
    })
}

/// Signed by the issuer.
pub(crate) fn sign(claims: &Value) -> String {
    sign_with(&KEYS[0], claims)
}

/// Signed by somebody who says to be the issuer.
pub(super) fn forge(claims: &Value) -> String {
    sign_with(&KEYS[1], claims)
}

fn sign_with(key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: Some(KEY_ID.into()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, key).unwrap()
}
