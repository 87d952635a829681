//! Where people sign in: at the development issuer of this process, or at one that is given.

use std::sync::Arc;

use app::ports::Clock;
use app::store::Store;
use functions::{HttpKeys, IssuerHttp, OidcClient, OidcConfig};
use http_api::token::{AuthConfig, Authenticator, RoleRules, StoredKeys};

use crate::error::StackError;
use crate::oidc::{CLIENT_ID, Issuer};

/// How far the clocks of the issuer and of this machine may be apart: what the product has by default.
const LEEWAY_SECS: u64 = 60;

/// The issuer that everything in the stack believes.
pub(crate) struct SignIn {
    issuer: String,
    client_id: String,
    http: IssuerHttp,
    jwks_url: String,
    machine: Arc<dyn Clock>,
    /// What signs people in.
    pub(crate) client: Arc<OidcClient>,
    /// The development issuer, if it is that one.
    pub(crate) development: Option<Issuer>,
}

impl SignIn {
    /// At the development issuer.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub(crate) fn development(issuer: Issuer, machine: Arc<dyn Clock>) -> Result<Self, StackError> {
        let jwks_url = issuer.jwks_url();
        let (http, client) = client(issuer.url(), CLIENT_ID, &machine)?;
        let (url, client_id) = (issuer.url().to_owned(), CLIENT_ID.to_owned());
        Ok(Self { issuer: url, client_id, http, jwks_url, machine, client, development: Some(issuer) })
    }

    /// At the issuer of that address, as that client.
    ///
    /// # Errors
    /// It does not answer, or is another issuer than its address says.
    pub(crate) async fn at(issuer: &str, client_id: &str, machine: Arc<dyn Clock>) -> Result<Self, StackError> {
        let (http, client) = client(issuer, client_id, &machine)?;
        let found = client.jwks_url().await;
        let jwks_url = found.map_err(|source| StackError::Issuer { issuer: issuer.to_owned(), source })?;
        let (issuer, client_id) = (issuer.to_owned(), client_id.to_owned());
        Ok(Self { issuer, client_id, http, jwks_url, machine, client, development: None })
    }

    /// What tells who calls; it keeps the issuer's keys in that store.
    pub(crate) fn authenticator(&self, store: &Store) -> Authenticator {
        let audiences = vec![self.client_id.clone()];
        let roles = RoleRules::usual(&audiences);
        let config = AuthConfig { issuer: self.issuer.clone(), audiences, leeway_secs: LEEWAY_SECS, roles };
        let source = Arc::new(HttpKeys::new(self.jwks_url.clone(), &self.http));
        let keys = StoredKeys::new(self.issuer.clone(), source, store.clone(), self.machine.clone(), true);
        Authenticator::new(config, Arc::new(keys), self.machine.clone())
    }
}

fn client(issuer: &str, id: &str, machine: &Arc<dyn Clock>) -> Result<(IssuerHttp, Arc<OidcClient>), StackError> {
    let http = IssuerHttp::new()?;
    let config = OidcConfig {
        issuer: issuer.to_owned(),
        internal_issuer: issuer.to_owned(),
        client_id: id.to_owned(),
        logout_url: None,
    };
    let client = Arc::new(OidcClient::new(config, machine.clone(), &http));
    Ok((http, client))
}
