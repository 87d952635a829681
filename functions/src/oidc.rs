//! The issuer as a client of it calls it: `OpenID` Connect by discovery, as a public client with PKCE.

use app::ports::{AuthorizationRequest, Clock, IdentityError, IdentityProvider, PortError, Tokens};
use async_trait::async_trait;
use domain::{SignedDuration, Timestamp};
use futures::lock::Mutex;
use reqwest::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::https::{self, IssuerHttp};

/// Discovery documents and token answers take a few kilobytes.
const MAX_BYTES: usize = 64 * 1024;
/// The issuer is asked anew for its endpoints this often.
const KEEP: SignedDuration = SignedDuration::from_hours(1);
const SCOPE: &str = "openid profile";

const DISCOVERY: &str = "issuer.discovery";
const TOKEN: &str = "issuer.token";
const REVOKE: &str = "issuer.revoke";
const SIGN_OUT: &str = "issuer.sign_out";

/// Where the issuer is, and who we are to it.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// The issuer, exactly as its tokens spell it; browsers reach it there.
    pub issuer: String,
    /// Where we reach it ourselves.
    pub internal_issuer: String,
    /// Our client id.
    pub client_id: String,
    /// Where browsers sign out, for an issuer whose discovery does not tell (Cognito's `/logout`).
    pub logout_url: Option<String>,
}

/// An issuer by discovery.
pub struct OidcClient {
    config: OidcConfig,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<(Endpoints, Timestamp)>>,
}

/// What discovery tells (OpenID Connect Discovery 1.0, 3; RFC 8414).
#[derive(Clone, Deserialize)]
struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    jwks_uri: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    id_token: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl OidcClient {
    /// A client of that issuer. Nothing is fetched before it is needed. `clock` is machine time.
    #[must_use]
    pub fn new(config: OidcConfig, clock: Arc<dyn Clock>, http: &IssuerHttp) -> Self {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        let config = OidcConfig { internal_issuer: trimmed(&config.internal_issuer), ..config };
        Self { config, client: http.0.clone(), clock, known: Mutex::new(None) }
    }

    /// Where we read the issuer's keys.
    ///
    /// # Errors
    /// The issuer does not answer, is another one, or names no place for its keys.
    pub async fn jwks_url(&self) -> Result<String, PortError> {
        let found = self.endpoints().await?.jwks_uri;
        self.ours(&found.ok_or_else(|| PortError::new(DISCOVERY, "names no jwks_uri"))?)
    }

    /// The endpoints. Whoever holds the lock asks; who needs the answer waits for it.
    async fn endpoints(&self) -> Result<Endpoints, PortError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if let Some((endpoints, read_at)) = known.as_ref()
            && (SignedDuration::ZERO..KEEP).contains(&now.duration_since(*read_at))
        {
            return Ok(endpoints.clone());
        }
        match self.discover().await {
            Ok(endpoints) => {
                *known = Some((endpoints.clone(), now));
                Ok(endpoints)
            }
            // Old ones serve until there are new ones.
            Err(error) => match known.as_ref() {
                Some((endpoints, _)) => {
                    tracing::warn!(%error, "the issuer's endpoints cannot be read anew");
                    Ok(endpoints.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn discover(&self) -> Result<Endpoints, PortError> {
        let url = format!("{}/.well-known/openid-configuration", self.config.internal_issuer);
        let response = self.client.get(url).send().await.map_err(|error| https::failed(DISCOVERY, error))?;
        if !response.status().is_success() {
            return Err(PortError::new(DISCOVERY, format!("status {}", response.status())));
        }
        let text = https::text(DISCOVERY, response, MAX_BYTES).await?;
        let found: Endpoints =
            serde_json::from_str(&text).map_err(|error| PortError::new(DISCOVERY, error.to_string()))?;
        if found.issuer != self.config.issuer {
            return Err(PortError::new(DISCOVERY, format!("it is the issuer {:?}", found.issuer)));
        }
        Ok(found)
    }

    /// An endpoint as we reach it. Reached by plain HTTP it is only where the issuer itself is.
    fn ours(&self, endpoint: &str) -> Result<String, PortError> {
        let OidcConfig { issuer, internal_issuer, .. } = &self.config;
        let url = moved(endpoint, issuer, internal_issuer);
        if url.starts_with("https://") || is_below(&url, internal_issuer) {
            return Ok(url);
        }
        Err(PortError::new(DISCOVERY, "an endpoint is neither below the issuer nor on https"))
    }

    /// An endpoint as browsers reach it, with these parameters.
    fn theirs(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Result<String, PortError> {
        let OidcConfig { issuer, internal_issuer, .. } = &self.config;
        let mut url = Url::parse(&moved(endpoint, internal_issuer, issuer))
            .map_err(|error| PortError::new(DISCOVERY, error.to_string()))?;
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(url.into())
    }

    async fn post(
        &self,
        operation: &'static str,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<reqwest::Response, PortError> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        request.header("accept", "application/json").body(body).send().await.map_err(|e| https::failed(operation, e))
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, IdentityError> {
        let url = self.ours(&self.endpoints().await?.token_endpoint)?;
        let response = self.post(TOKEN, &url, form).await?;
        let status = response.status();
        let text = https::text(TOKEN, response, MAX_BYTES).await?;
        if status.is_success() {
            // Not even the error may repeat what was read.
            let answer: TokenAnswer =
                serde_json::from_str(&text).map_err(|_| PortError::new(TOKEN, "gave no access token"))?;
            let TokenAnswer { access_token, id_token, refresh_token } = answer;
            return Ok(Tokens { access_token, id_token, refresh_token });
        }
        let refusal = serde_json::from_str(&text).map(|refusal: TokenRefusal| refusal.error).unwrap_or_default();
        if status.is_client_error() && refusal == "invalid_grant" {
            return Err(IdentityError::InvalidGrant);
        }
        let code: String = refusal.chars().filter(|c| c.is_ascii_alphabetic() || *c == '_').take(64).collect();
        Err(PortError::new(TOKEN, format!("status {status} {code}")).into())
    }
}

#[async_trait]
impl IdentityProvider for OidcClient {
    fn issuer(&self) -> &str {
        &self.config.issuer
    }

    fn client_id(&self) -> &str {
        &self.config.client_id
    }

    async fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, IdentityError> {
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", &request.redirect_uri),
            ("scope", SCOPE),
            ("state", &request.state),
            ("nonce", &request.nonce),
            ("code_challenge", &request.code_challenge),
            ("code_challenge_method", "S256"),
        ];
        Ok(self.theirs(&self.endpoints().await?.authorization_endpoint, &parameters)?)
    }

    async fn exchange(&self, code: &str, verifier: &str, redirect_uri: &str) -> Result<Tokens, IdentityError> {
        self.tokens(&[
            ("grant_type", "authorization_code"),
            ("client_id", &self.config.client_id),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", redirect_uri),
        ])
        .await
    }

    async fn refresh(&self, refresh_token: &str) -> Result<Tokens, IdentityError> {
        self.tokens(&[
            ("grant_type", "refresh_token"),
            ("client_id", &self.config.client_id),
            ("refresh_token", refresh_token),
        ])
        .await
    }

    async fn revoke(&self, refresh_token: &str) -> Result<(), IdentityError> {
        let Some(endpoint) = self.endpoints().await?.revocation_endpoint else { return Ok(()) };
        let form = [
            ("token", refresh_token),
            ("token_type_hint", "refresh_token"),
            ("client_id", self.config.client_id.as_str()),
        ];
        let response = self.post(REVOKE, &self.ours(&endpoint)?, &form).await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(PortError::new(REVOKE, format!("status {}", response.status())).into())
    }

    /// Keycloak takes a refresh token at its `end_session_endpoint` and answers 204; another issuer does not know
    /// that way, and answers something else.
    async fn sign_out(&self, refresh_token: &str) -> Result<(), IdentityError> {
        if let Some(endpoint) = self.endpoints().await?.end_session_endpoint {
            let form = [("client_id", self.config.client_id.as_str()), ("refresh_token", refresh_token)];
            match self.post(SIGN_OUT, &self.ours(&endpoint)?, &form).await {
                Ok(response) if response.status() == StatusCode::NO_CONTENT => return Ok(()),
                Ok(response) => tracing::debug!(status = %response.status(), "the issuer ends no session from here"),
                Err(error) => tracing::warn!(%error, "the issuer's session was not ended"),
            }
        }
        self.revoke(refresh_token).await
    }

    async fn logout_url(&self, return_to: &str) -> Result<Option<String>, IdentityError> {
        let client_id = self.config.client_id.as_str();
        if let Some(url) = &self.config.logout_url {
            return Ok(Some(self.theirs(url, &[("client_id", client_id), ("logout_uri", return_to)])?));
        }
        let Some(endpoint) = self.endpoints().await?.end_session_endpoint else { return Ok(None) };
        let parameters = [("client_id", client_id), ("post_logout_redirect_uri", return_to)];
        Ok(Some(self.theirs(&endpoint, &parameters)?))
    }
}

/// Whether the address is that of `base` or below it.
fn is_below(url: &str, base: &str) -> bool {
    url.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// The address with the prefix `from` replaced by `to`, if it has it.
fn moved(url: &str, from: &str, to: &str) -> String {
    let from = from.trim_end_matches('/');
    match url.strip_prefix(from) {
        Some(rest) if is_below(url, from) => format!("{}{rest}", to.trim_end_matches('/')),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
