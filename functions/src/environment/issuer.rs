//! The issuer, for the functions whose row names it.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::{Clock, IdentityProvider, PortError};
use app::store::Store;
use async_trait::async_trait;
use domain::Role;
use http_api::token::{AuthConfig, Authenticator, KeySource, RoleRules, StoredKeys};
use http_api::{Function, Port};

use super::{Environment, EnvironmentError};
use crate::https::IssuerHttp;
use crate::jwks::HttpKeys;
use crate::oidc::{OidcClient, OidcConfig};
use crate::system::SystemClock;

const ROLE_CLAIMS: &str = "OIDC_ROLE_CLAIMS";
const ROLE_NAMES: &str = "OIDC_ROLE_NAMES";

/// What the issuer is called with, by the functions that call it.
pub(super) fn http(function: &Function) -> Result<Option<IssuerHttp>, EnvironmentError> {
    let calls = function.ports.iter().any(|port| matches!(port, Port::Issuer | Port::SignIn));
    Ok(if calls { Some(IssuerHttp::new()?) } else { None })
}

/// Tells who calls. A function without an issuer believes no token, and needs no variable for it.
pub(super) fn authenticator(
    environment: &Environment<'_>,
    function: &Function,
    store: &Store,
    http: Option<&IssuerHttp>,
) -> Result<Authenticator, EnvironmentError> {
    let Some(http) = http.filter(|_| function.ports.contains(&Port::Issuer)) else {
        let config =
            AuthConfig { issuer: String::new(), audiences: Vec::new(), leeway_secs: 0, roles: RoleRules::usual(&[]) };
        return Ok(Authenticator::new(config, Arc::new(NoKeys), Arc::new(SystemClock)));
    };
    let audiences: Vec<_> =
        environment.required("OIDC_AUDIENCES")?.split(',').map(|text| text.trim().to_owned()).collect();
    let config = AuthConfig {
        issuer: environment.required("OIDC_ISSUER")?,
        roles: roles(environment, &audiences)?,
        audiences,
        leeway_secs: leeway_secs(environment)?,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = StoredKeys::new(
        config.issuer.clone(),
        Arc::new(HttpKeys::new(environment.required("OIDC_JWKS_URL")?, http)),
        store.clone(),
        Arc::clone(&clock),
        function.ports.contains(&Port::TableWrite),
    );
    Ok(Authenticator::new(config, Arc::new(keys), clock))
}

/// Signs people in, for the functions whose row says so.
pub(super) fn provider(
    environment: &Environment<'_>,
    function: &Function,
    http: Option<&IssuerHttp>,
) -> Result<Option<Arc<dyn IdentityProvider>>, EnvironmentError> {
    let Some(http) = http.filter(|_| function.ports.contains(&Port::SignIn)) else { return Ok(None) };
    let issuer = environment.required("OIDC_ISSUER")?;
    let audiences = environment.required("OIDC_AUDIENCES")?;
    let first = || audiences.split(',').next().unwrap_or_default().trim().to_owned();
    let config = OidcConfig {
        internal_issuer: environment.optional("OIDC_INTERNAL_ISSUER").unwrap_or_else(|| issuer.clone()),
        client_id: environment.optional("OIDC_CLIENT_ID").unwrap_or_else(first),
        logout_url: environment.optional("OIDC_LOGOUT_URL"),
        issuer,
    };
    Ok(Some(Arc::new(OidcClient::new(config, Arc::new(SystemClock), http))))
}

/// At most five minutes: a larger one would be a way to switch the expiry off.
fn leeway_secs(environment: &Environment<'_>) -> Result<u64, EnvironmentError> {
    const NAME: &str = "OIDC_LEEWAY_SECS";
    let message = "must be a whole number of seconds, 0 to 300";
    let secs = environment.parsed(NAME, 60, message)?;
    let wrong = || EnvironmentError::Wrong { name: NAME.into(), message: message.into() };
    if secs <= 300 { Ok(secs) } else { Err(wrong()) }
}

/// Where roles are (`OIDC_ROLE_CLAIMS`: JSON pointers, separated by commas) and what they are called there
/// (`OIDC_ROLE_NAMES`: JSON, `{"cml-admins": "admin"}`).
fn roles(environment: &Environment<'_>, audiences: &[String]) -> Result<RoleRules, EnvironmentError> {
    let wrong = |name: &str, message: String| EnvironmentError::Wrong { name: name.into(), message };
    let mut rules = RoleRules::usual(audiences);
    if let Some(claims) = environment.optional(ROLE_CLAIMS) {
        rules.claims = claims.split(',').map(|text| text.trim().to_owned()).collect();
        if let Some(bad) = rules.claims.iter().find(|pointer| !pointer.starts_with('/')) {
            return Err(wrong(ROLE_CLAIMS, format!("must be JSON pointers such as /realm_access/roles, not {bad:?}")));
        }
    }
    if let Some(names) = environment.optional(ROLE_NAMES) {
        let names: BTreeMap<String, String> = serde_json::from_str(&names)
            .map_err(|error| wrong(ROLE_NAMES, format!("must be JSON, of role names by role: {error}")))?;
        for (theirs, ours) in names {
            let role = Role::from_name(&ours)
                .ok_or_else(|| wrong(ROLE_NAMES, format!("has {ours:?}, but roles are user, manager and admin")))?;
            rules.names.insert(theirs, role);
        }
    }
    Ok(rules)
}

/// The keys of no issuer.
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn fetch(&self) -> Result<String, PortError> {
        Err(PortError::new("jwks.fetch", "the function table gives this function no issuer"))
    }
}
