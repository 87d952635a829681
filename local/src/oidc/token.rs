//! `/token`: what a code, a password or a refresh token is good for. Errors as in RFC 6749.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use http::StatusCode;
use http::header::{CACHE_CONTROL, PRAGMA};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// The sign-in it comes from: the family of its refresh tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    scope: String,
}

/// What one token has that others of its kind have not.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) id: String,
    pub(super) family: Option<String>,
    pub(super) nonce: Option<String>,
}

/// What a request for tokens is granted.
struct Granted {
    user: &'static User,
    nonce: Option<String>,
    /// The refresh token it was granted for: family and id.
    refreshed: Option<(String, String)>,
}

impl Granted {
    fn new(user: &'static User, nonce: Option<String>) -> Self {
        Self { user, nonce, refreshed: None }
    }
}

impl Issuer {
    /// A token for that user.
    pub(super) fn sign(&self, user: &User, kind: Kind, marks: Marks) -> Result<String, KeyError> {
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
            jti: marks.id,
            preferred_username: user.name.to_owned(),
            realm_access: (kind == Kind::Access).then(|| Roles { roles: vec![user.role.to_owned()] }),
            nonce: marks.nonce,
            sid: marks.family,
            scope: "openid profile".to_owned(),
        })
    }

    /// The user of a token of that kind which is ours and has not expired.
    pub(super) fn verify(&self, token: &str, kind: Kind) -> Option<&'static User> {
        let claims = self.claims(token, kind)?;
        users::by_id(&claims.sub).filter(|_| claims.exp > self.now())
    }

    fn claims(&self, token: &str, kind: Kind) -> Option<Claims> {
        self.0.key.verify(token).filter(|claims: &Claims| claims.typ == kind && claims.iss == self.url())
    }

    /// Ends the family of a token of that kind, expired or not.
    pub(super) fn end(&self, token: &str, kind: Kind) {
        if let Some(family) = self.claims(token, kind).and_then(|claims| claims.sid)
            && let Err(error) = self.0.families.end(&family)
        {
            tracing::error!(%error, "the issuer cannot end a sign-in");
        }
    }

    fn refreshed(&self, token: &str) -> Option<Granted> {
        let claims = self.claims(token, Kind::Refresh).filter(|claims| claims.exp > self.now())?;
        let user = users::by_id(&claims.sub)?;
        Some(Granted { user, nonce: None, refreshed: Some((claims.sid?, claims.jti)) })
    }

    fn grant(&self, form: &BTreeMap<String, String>) -> Result<Granted, Refusal> {
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
                grant.map(|grant| Granted::new(grant.user, grant.nonce)).ok_or(refusal)
            }
            "password" => users::sign_in(field("username")?, field("password")?)
                .map(|user| Granted::new(user, None))
                .ok_or(Refusal::grant("the user name or the password is wrong")),
            "refresh_token" => self.refreshed(field("refresh_token")?).ok_or(Refusal::refresh()),
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

    fn refresh() -> Self {
        Self::grant("the refresh token is not valid any more")
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
    let granted = match issuer.grant(&form) {
        Ok(granted) => granted,
        Err(refusal) => return refusal.into_response(),
    };
    match issuer.tokens(granted) {
        Ok(Some(tokens)) => ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], Json(tokens)).into_response(),
        Ok(None) => Refusal::refresh().into_response(),
        Err(error) => {
            tracing::error!(%error, "the issuer cannot sign");
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "see the log".into()).into_response()
        }
    }
}

/// `POST /revoke` (RFC 7009): the answer is the same whether or not there was such a token.
pub(super) async fn revoke(State(issuer): State<Issuer>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
        return Refusal(StatusCode::UNAUTHORIZED, "invalid_client", "there is no such client".into()).into_response();
    }
    match form.get("token") {
        Some(token) => {
            issuer.end(token, Kind::Refresh);
            StatusCode::OK.into_response()
        }
        None => Refusal::missing("token").into_response(),
    }
}

/// `POST /logout`: a client ends the sign-in of its refresh token, as Keycloak has it.
pub(super) async fn end_session(State(issuer): State<Issuer>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
        return Refusal(StatusCode::UNAUTHORIZED, "invalid_client", "there is no such client".into()).into_response();
    }
    match form.get("refresh_token") {
        Some(token) => {
            issuer.end(token, Kind::Refresh);
            StatusCode::NO_CONTENT.into_response()
        }
        None => Refusal::missing("refresh_token").into_response(),
    }
}

impl Issuer {
    /// The tokens; none when the refresh token was used before.
    fn tokens(&self, granted: Granted) -> Result<Option<Value>, KeyError> {
        let Granted { user, nonce, refreshed } = granted;
        let (family, before) = match refreshed {
            Some((family, before)) => (family, Some(before)),
            None => (self.id(), None),
        };
        let (now, next) = (self.now(), self.id());
        if !self.0.families.turn(&family, before.as_deref(), &next, now, now + REFRESH_SECS)? {
            return Ok(None);
        }
        let marks = |id, nonce| Marks { id, nonce, family: Some(family.clone()) };
        Ok(Some(json!({
            "access_token": self.sign(user, Kind::Access, marks(self.id(), None))?,
            "id_token": self.sign(user, Kind::Id, marks(self.id(), nonce))?,
            "refresh_token": self.sign(user, Kind::Refresh, marks(next, None))?,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECS,
            "refresh_expires_in": REFRESH_SECS,
            "scope": "openid profile",
        })))
    }
}
