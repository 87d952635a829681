//! `/token`: what a code, a password or a refresh token is good for. Errors as in RFC 6749.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use http::StatusCode;
use http::header::{CACHE_CONTROL, PRAGMA};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::KeyError;
use super::users::{self, User};
use super::{CLIENT_ID, Issuer};

/// Good for more than the one real hour that is promised.
const ACCESS_SECS: i64 = 2 * 60 * 60;
const REFRESH_SECS: i64 = 24 * 60 * 60;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// To call the API.
    #[serde(rename = "Bearer")]
    Access,
    /// To tell a client who signed in.
    #[serde(rename = "ID")]
    Id,
    /// To get new ones.
    #[serde(rename = "Refresh")]
    Refresh,
}

#[derive(Clone, Serialize, Deserialize)]
struct Roles {
    roles: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    azp: String,
    sub: String,
    typ: Kind,
    iat: i64,
    exp: i64,
    jti: String,
    preferred_username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realm_access: Option<Roles>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    scope: String,
}

impl Issuer {
    /// A token for that user.
    pub(super) fn sign(&self, user: &User, kind: Kind, nonce: Option<String>) -> Result<String, KeyError> {
        let now = self.now();
        let lifetime = if kind == Kind::Refresh { REFRESH_SECS } else { ACCESS_SECS };
        self.0.key.sign(&Claims {
            iss: self.url().to_owned(),
            // A refresh token is for the issuer alone: no API takes it for an access token.
            aud: if kind == Kind::Refresh { self.url().to_owned() } else { CLIENT_ID.to_owned() },
            azp: CLIENT_ID.to_owned(),
            sub: user.id.to_owned(),
            typ: kind,
            iat: now,
            exp: now + lifetime,
            jti: crate::queues::uuid(self.0.random.next()),
            preferred_username: user.name.to_owned(),
            realm_access: (kind == Kind::Access).then(|| Roles { roles: vec![user.role.to_owned()] }),
            nonce,
            scope: "openid profile".to_owned(),
        })
    }

    /// The user of a token of that kind which is ours and has not expired.
    pub(super) fn verify(&self, token: &str, kind: Kind) -> Option<&'static User> {
        let claims: Claims = self.0.key.verify(token)?;
        let good = claims.typ == kind && claims.iss == self.url() && claims.exp > self.now();
        good.then(|| users::by_id(&claims.sub)).flatten()
    }

    fn grant(&self, form: &BTreeMap<String, String>) -> Result<(&'static User, Option<String>), Refusal> {
        let field = |name: &'static str| {
            form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or(Refusal::missing(name))
        };
        if field("client_id")? != CLIENT_ID {
            return Err(Refusal(StatusCode::UNAUTHORIZED, "invalid_client", "there is no such client".into()));
        }
        match field("grant_type")? {
            "authorization_code" => {
                let grant = self.redeem(field("code")?).filter(|grant| {
                    field("redirect_uri").is_ok_and(|uri| uri == grant.redirect_uri)
                        && field("code_verifier").is_ok_and(|verifier| grant.fits(verifier))
                });
                let refusal = Refusal::grant("the code is unknown, used, older than a minute, or not for this caller");
                grant.map(|grant| (grant.user, grant.nonce)).ok_or(refusal)
            }
            "password" => users::sign_in(field("username")?, field("password")?)
                .map(|user| (user, None))
                .ok_or(Refusal::grant("the user name or the password is wrong")),
            "refresh_token" => self
                .verify(field("refresh_token")?, Kind::Refresh)
                .map(|user| (user, None))
                .ok_or(Refusal::grant("the refresh token is not valid any more")),
            _ => {
                let known = "must be authorization_code, password or refresh_token".into();
                Err(Refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", known))
            }
        }
    }
}

/// An error of RFC 6749, section 5.2.
struct Refusal(StatusCode, &'static str, String);

impl Refusal {
    fn missing(name: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, "invalid_request", format!("{name} is missing"))
    }

    fn grant(why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, "invalid_grant", why.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, error, description) = self;
        (status, [(CACHE_CONTROL, "no-store")], Json(json!({"error": error, "error_description": description})))
            .into_response()
    }
}

/// `POST /token`.
pub(super) async fn token(State(issuer): State<Issuer>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let (user, nonce) = match issuer.grant(&form) {
        Ok(granted) => granted,
        Err(refusal) => return refusal.into_response(),
    };
    let tokens = || {
        Ok::<_, KeyError>(json!({
            "access_token": issuer.sign(user, Kind::Access, None)?,
            "id_token": issuer.sign(user, Kind::Id, nonce)?,
            "refresh_token": issuer.sign(user, Kind::Refresh, None)?,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECS,
            "refresh_expires_in": REFRESH_SECS,
            "scope": "openid profile",
        }))
    };
    match tokens() {
        Ok(tokens) => ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], Json(tokens)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the issuer cannot sign");
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "see the log".into()).into_response()
        }
    }
}
