//! `/authorize`: the sign-in form, and the code it ends in. PKCE with S256 is required.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use axum::Form;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::users::{self, PASSWORD, User};
use super::{CLIENT_ID, Issuer};

const CODE_SECS: i64 = 60;

/// What a code stands for.
pub(super) struct Grant {
    pub(super) user: &'static User,
    pub(super) redirect_uri: String,
    pub(super) nonce: Option<String>,
    challenge: String,
    expires: i64,
}

impl Grant {
    /// Whether the verifier is the one the challenge was made of.
    pub(super) fn fits(&self, verifier: &str) -> bool {
        let well_formed = (43..=128).contains(&verifier.len());
        well_formed && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == self.challenge
    }
}

/// An authorization request that may be answered by a redirect.
struct Asked {
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    challenge: String,
}

impl Issuer {
    /// What the code stands for; once, and for a minute.
    pub(super) fn redeem(&self, code: &str) -> Option<Grant> {
        let mut codes = self.0.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.remove(code).filter(|grant| grant.expires > self.now())
    }

    fn hand_out(&self, grant: Grant) -> String {
        let code = self.secret();
        let mut codes = self.0.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        codes.retain(|_, grant| grant.expires > now);
        codes.insert(code.clone(), grant);
        code
    }
}

/// `GET /authorize`: the form.
pub(super) async fn show(Query(query): Query<BTreeMap<String, String>>) -> Response {
    match asked(&query) {
        Ok(_) => form(&query, StatusCode::OK, ""),
        Err(refusal) => *refusal,
    }
}

/// `POST /authorize`: the form filled in.
pub(super) async fn sign_in(State(issuer): State<Issuer>, Form(fields): Form<BTreeMap<String, String>>) -> Response {
    let asked = match asked(&fields) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let field = |name| fields.get(name).map_or("", String::as_str);
    let Some(user) = users::sign_in(field("username"), field("password")) else {
        return form(&fields, StatusCode::UNAUTHORIZED, "The user name or the password is wrong.");
    };
    let code = issuer.hand_out(Grant {
        user,
        redirect_uri: asked.redirect_uri.clone(),
        nonce: asked.nonce,
        challenge: asked.challenge,
        expires: issuer.now() + CODE_SECS,
    });
    let parameters = [("code", Some(code.as_str())), ("state", asked.state.as_deref()), ("iss", Some(issuer.url()))];
    redirect(&asked.redirect_uri, &parameters)
}

/// Checks the request. While client and redirect are not trusted, nobody is redirected.
fn asked(query: &BTreeMap<String, String>) -> Result<Asked, Box<Response>> {
    let field = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let page = |text: &'static str| Box::new((StatusCode::BAD_REQUEST, text).into_response());
    if field("client_id") != Some(CLIENT_ID) {
        return Err(page("client_id is not one of this issuer"));
    }
    let redirect_uri = field("redirect_uri")
        .filter(|uri| is_loopback(uri))
        .ok_or_else(|| page("redirect_uri must be http on 127.0.0.1, [::1] or localhost"))?;
    let state = field("state").map(str::to_owned);
    let refuse = |error, description| {
        let parameters =
            [("error", Some(error)), ("error_description", Some(description)), ("state", state.as_deref())];
        Box::new(redirect(redirect_uri, &parameters))
    };
    if field("response_type") != Some("code") {
        return Err(refuse("unsupported_response_type", "response_type must be code"));
    }
    let challenge = field("code_challenge")
        .filter(|_| field("code_challenge_method") == Some("S256"))
        .ok_or_else(|| refuse("invalid_request", "PKCE with code_challenge_method S256 is required"))?;
    let nonce = field("nonce").map(str::to_owned);
    Ok(Asked { redirect_uri: redirect_uri.to_owned(), nonce, challenge: challenge.to_owned(), state: state.clone() })
}

/// Whether a redirect there stays on this machine.
pub(crate) fn is_loopback(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| {
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        here && url.scheme() == "http"
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

/// The address with these query parameters added.
pub(super) fn with_parameters(uri: &str, parameters: &[(&str, Option<&str>)]) -> Option<String> {
    let mut url = Url::parse(uri).ok()?;
    let present: Vec<_> = parameters.iter().filter_map(|(name, value)| value.map(|value| (*name, value))).collect();
    if !present.is_empty() {
        url.query_pairs_mut().extend_pairs(present);
    }
    Some(url.into())
}

fn redirect(uri: &str, parameters: &[(&str, Option<&str>)]) -> Response {
    match with_parameters(uri, parameters) {
        Some(uri) => ([(CACHE_CONTROL, "no-store")], Redirect::to(&uri)).into_response(),
        None => (StatusCode::BAD_REQUEST, "redirect_uri is not an address").into_response(),
    }
}

fn form(fields: &BTreeMap<String, String>, status: StatusCode, message: &str) -> Response {
    let hidden: String = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "username" | "password"))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", escape(name), escape(value)))
        .collect();
    let page = include_str!("sign_in.html")
        .replace("{{message}}", message)
        .replace("{{password}}", PASSWORD)
        .replace("{{hidden}}", &hidden);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    (status, [(CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}
