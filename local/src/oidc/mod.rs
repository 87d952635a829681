//! The development issuer: enough `OpenID` Connect to sign in on one machine, with tokens like
//! Keycloak's. Only in the local stack, never in a Lambda.

mod authorize;
mod families;
mod keys;
mod token;
mod users;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use app::ports::{Clock, Random};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use local_state::Documents;
use serde_json::{Value, json};

pub use keys::KeyError;

use authorize::Grant;
pub(crate) use authorize::is_loopback;
use families::Families;
use keys::SigningKey;
use token::{Kind, Marks};

/// The one client, as in the Keycloak realm that is shipped.
pub const CLIENT_ID: &str = "cml-cloud-manager-public";
/// Where the issuer is, under the stack's address.
pub(crate) const PATH: &str = "/dev/oidc";

/// The issuer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    key: SigningKey,
    machine: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Authorization codes handed out and not yet used.
    codes: Mutex<BTreeMap<String, Grant>>,
    families: Families,
}

impl Issuer {
    /// The issuer at `base_url`, with the signing key that is kept in the documents.
    ///
    /// # Errors
    /// There is no key and none can be made, or the one there is cannot be read.
    pub(crate) fn open(
        base_url: &str,
        documents: &Documents,
        machine: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyError> {
        let key = SigningKey::open(documents)?;
        let url = format!("{base_url}{PATH}");
        let families = Families::new(documents.clone());
        Ok(Self(Arc::new(Inner { url, key, machine, random, codes: Mutex::default(), families })))
    }

    /// Its identifier.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// Where its public keys are.
    #[must_use]
    pub(crate) fn jwks_url(&self) -> String {
        format!("{}/jwks", self.0.url)
    }

    /// An access token of that user, as the stack itself needs one to set up the demonstration.
    ///
    /// # Errors
    /// No such user, or the key cannot sign.
    pub(crate) fn access_token(&self, username: &str) -> Result<String, KeyError> {
        let user = users::find(username).ok_or(KeyError::NoUser)?;
        self.sign(user, Kind::Access, Marks { id: self.id(), ..Marks::default() })
    }

    /// Its routes, below [`PATH`].
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize::show).post(authorize::sign_in))
            .route("/token", post(token::token))
            .route("/revoke", post(token::revoke))
            .route("/userinfo", get(userinfo).post(userinfo))
            .route("/logout", get(logout).post(token::end_session))
            .with_state(self.clone())
    }

    fn now(&self) -> i64 {
        self.0.machine.now().as_second()
    }

    /// An id of a token or of a family of them.
    fn id(&self) -> String {
        crate::queues::uuid(self.0.random.next())
    }

    /// A secret nobody can guess: 256 bits.
    fn secret(&self) -> String {
        format!("{:032x}{:032x}", self.0.random.next(), self.0.random.next())
    }
}

async fn discovery(State(issuer): State<Issuer>) -> Json<Value> {
    let url = issuer.url();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"),
        "end_session_endpoint": format!("{url}/logout"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "password", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "preferred_username", "realm_access"],
    }))
}

async fn jwks(State(issuer): State<Issuer>) -> Json<Value> {
    Json(issuer.0.key.jwks())
}

async fn userinfo(State(issuer): State<Issuer>, headers: HeaderMap) -> Response {
    let bearer = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match bearer.and_then(|token| issuer.verify(token, Kind::Access)) {
        Some(user) => Json(json!({
            "sub": user.id,
            "preferred_username": user.name,
            "name": user.name,
            "realm_access": {"roles": [user.role]},
        }))
        .into_response(),
        None => {
            let challenge = [(http::header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
            let body = Json(
                json!({"error": "invalid_token", "error_description": "The access token is missing or not valid."}),
            );
            (StatusCode::UNAUTHORIZED, challenge, body).into_response()
        }
    }
}

/// The sign-in form is shown each time, so that only the refresh tokens of the id token's sign-in are left to end.
async fn logout(State(issuer): State<Issuer>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    // A client of ours sends none: it ends the session by its refresh token.
    if let Some(token) = query.get("id_token_hint") {
        issuer.end(token, Kind::Id);
    }
    match query.get("post_logout_redirect_uri").filter(|uri| authorize::is_loopback(uri)) {
        Some(uri) => match authorize::with_parameters(uri, &[("state", query.get("state").map(String::as_str))]) {
            Some(uri) => Redirect::to(&uri).into_response(),
            None => "Signed out.".into_response(),
        },
        None => "Signed out.".into_response(),
    }
}

#[cfg(test)]
mod tests;
