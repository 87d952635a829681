//! The issuer, for the functions whose row names it.

use std::sync::Arc;

use app::error::PortError;
use async_trait::async_trait;
use http_api::auth::{AuthConfig, Authenticator, KeySource};
use http_api::{Function, Port};

use super::{Environment, EnvironmentError};
use crate::{HttpKeys, SystemClock};

/// Tells who calls. A function without an issuer believes no token, and needs no variable for it.
pub(super) fn authenticator(
    environment: &Environment<'_>,
    function: &Function,
) -> Result<Authenticator, EnvironmentError> {
    if !function.ports.contains(&Port::Issuer) {
        let config = AuthConfig { issuer: String::new(), audiences: Vec::new(), leeway_secs: 0 };
        return Ok(Authenticator::new(config, Arc::new(NoKeys), Arc::new(SystemClock)));
    }
    let audiences = environment.required("OIDC_AUDIENCES")?;
    let config = AuthConfig {
        issuer: environment.required("OIDC_ISSUER")?,
        audiences: audiences.split(',').map(|text| text.trim().to_owned()).collect(),
        leeway_secs: environment.parsed("OIDC_LEEWAY_SECS", 60, "must be a whole number of seconds")?,
    };
    let keys = HttpKeys::new(environment.required("OIDC_JWKS_URL")?)?;
    Ok(Authenticator::new(config, Arc::new(keys), Arc::new(SystemClock)))
}

/// The keys of no issuer.
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn fetch(&self) -> Result<String, PortError> {
        Err(PortError::new("jwks.fetch", "the function table gives this function no issuer"))
    }
}
