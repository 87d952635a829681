//! Where people sign in: at the development issuer of this process, or at one that is given.

use std::sync::Arc;

use app::ports::Clock;
use functions::{HttpKeys, OidcClient, OidcConfig};
use http_api::auth::{AuthConfig, Authenticator, RoleRules};

use crate::error::StackError;
use crate::oidc::{CLIENT_ID, Issuer};

/// How far the clocks of the issuer and of this machine may be apart.
const LEEWAY_SECS: u64 = 30;

/// The issuer that everything in the stack believes.
pub(crate) struct SignIn {
    config: OidcConfig,
    jwks_url: String,
    machine: Arc<dyn Clock>,
    /// The development issuer, if it is that one.
    pub(crate) development: Option<Issuer>,
}

impl SignIn {
    /// At the development issuer.
    pub(crate) fn development(issuer: Issuer, machine: Arc<dyn Clock>) -> Self {
        let (config, jwks_url) = (config(issuer.url(), CLIENT_ID), issuer.jwks_url());
        Self { config, jwks_url, machine, development: Some(issuer) }
    }

    /// At the issuer of that address, as that client.
    ///
    /// # Errors
    /// It does not answer, or is another issuer than its address says.
    pub(crate) async fn at(issuer: &str, client_id: &str, machine: Arc<dyn Clock>) -> Result<Self, StackError> {
        let config = config(issuer, client_id);
        let found = OidcClient::new(config.clone(), machine.clone())?.jwks_url().await;
        let jwks_url = found.map_err(|source| StackError::Issuer { issuer: issuer.to_owned(), source })?;
        Ok(Self { config, jwks_url, machine, development: None })
    }

    /// What tells who calls.
    pub(crate) fn authenticator(&self) -> Result<Authenticator, StackError> {
        let audiences = vec![self.config.client_id.clone()];
        let roles = RoleRules::usual(&audiences);
        let config = AuthConfig { issuer: self.config.issuer.clone(), audiences, leeway_secs: LEEWAY_SECS, roles };
        let keys = HttpKeys::new(self.jwks_url.clone())?;
        Ok(Authenticator::new(config, Arc::new(keys), self.machine.clone()))
    }

    /// What signs people in.
    pub(crate) fn client(&self) -> Result<OidcClient, StackError> {
        Ok(OidcClient::new(self.config.clone(), self.machine.clone())?)
    }
}

fn config(issuer: &str, client_id: &str) -> OidcConfig {
    let issuer = issuer.to_owned();
    OidcConfig { internal_issuer: issuer.clone(), issuer, client_id: client_id.to_owned(), logout_url: None }
}
