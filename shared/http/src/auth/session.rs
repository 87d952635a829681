//! Browser sessions: the cookie stands for a session item, and tokens never leave the server.

use app::sign_in::SignInError;
use app::use_cases::begin_login::GOOD_FOR;
use app::use_cases::read_session::read_session;
use app::{Context, PublicUrl};
use domain::session::Session;
use domain::{SignedDuration, Timestamp};

use crate::api::Api;
use crate::caller::{Caller, Via};
use crate::incoming::{Incoming, cookie, cookie_values};
use crate::problem::Problem;
use crate::request::Request;

/// A cookie of ours. No script reads it, and no other site's request brings it along except by a link.
///
/// Over TLS its name begins with `__Host-`, so that no other host and no plain connection can set it. Browsers
/// do not agree on such names over plain HTTP, which only the local stack speaks. There it has the product's name
/// and the port, because all ports of 127.0.0.1 share their cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The session.
    Session,
    /// What shows that the browser which ends a sign-in is the one that began it.
    Login,
}

impl Cookie {
    /// Its name.
    pub(crate) fn name(self, public_url: &PublicUrl) -> String {
        let what = match self {
            Self::Session => "session",
            Self::Login => "login",
        };
        if public_url.is_https() { format!("__Host-{what}") } else { format!("ccm-{what}-{}", public_url.port()) }
    }

    /// The `Set-Cookie` that gives it a value.
    fn set(self, public_url: &PublicUrl, value: &str, lasts: SignedDuration) -> String {
        let secure = if public_url.is_https() { "; Secure" } else { "" };
        let (name, seconds) = (self.name(public_url), lasts.as_secs().max(0));
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }
}

/// The `Set-Cookie` of a new session: the browser forgets it when it ends.
pub(crate) fn session_cookie(public_url: &PublicUrl, value: &str, session: &Session, now: Timestamp) -> String {
    Cookie::Session.set(public_url, value, session.ends_at.duration_since(now))
}

/// The `Set-Cookie` of a browser that begins to sign in.
pub(crate) fn login_cookie(public_url: &PublicUrl, value: &str) -> String {
    Cookie::Login.set(public_url, value, GOOD_FOR)
}

/// The `Set-Cookie` that makes a browser forget its session.
pub(crate) fn forget_session(public_url: &PublicUrl) -> String {
    Cookie::Session.set(public_url, "", SignedDuration::ZERO)
}

/// Where browsers reach us.
///
/// # Errors
/// 503 where that is not configured.
pub(crate) fn public_url(ctx: &Context) -> Result<&PublicUrl, Problem> {
    ctx.settings.public_url.as_ref().ok_or_else(|| Problem::unavailable("Signing in by browser is not configured."))
}

/// The session cookie of a request that changes something, from a page of ours.
///
/// # Errors
/// 403 when another site's page makes the browser send it; 400 when it is there twice: nothing was done with either.
pub(crate) fn own_cookie<'a>(request: &'a Request, public_url: &PublicUrl) -> Result<Option<&'a str>, Problem> {
    let name = Cookie::Session.name(public_url);
    let values = cookie_values(&request.cookies, &name).take(2).collect::<Vec<_>>();
    if values.is_empty() {
        return Ok(None);
    }
    check_origin(public_url, request.headers.get("origin").map(String::as_str))?;
    match values[..] {
        [value] => Ok(Some(value)),
        _ => Err(Problem::bad_request(format!(
            "The cookie {name} is there twice, and which of the two is ours cannot be told. Remove this site's cookies \
             in the browser, and sign in again."
        ))),
    }
}

/// `SameSite` keeps other sites' requests away, but not those of other hosts of the same site.
fn check_origin(public_url: &PublicUrl, origin: Option<&str>) -> Result<(), Problem> {
    if origin == Some(public_url.origin()) {
        return Ok(());
    }
    tracing::warn!(origin, "a request with a session cookie comes from elsewhere");
    Err(Problem::cross_origin(public_url.origin()))
}

/// The caller of a session; none without a cookie.
pub(super) async fn identify(api: &Api, incoming: &Incoming, is_change: bool) -> Result<Option<Caller>, Problem> {
    let Some(public_url) = &api.context.settings.public_url else { return Ok(None) };
    let Some(value) = cookie(&incoming.cookies, &Cookie::Session.name(public_url)) else { return Ok(None) };
    if is_change {
        check_origin(public_url, incoming.headers.get("origin").map(String::as_str))?;
    }
    let person = read_session(&api.context, value).await?.session.person;
    Ok(Some(Caller::person_via(person, Via::Session)))
}

/// What is said to everybody whose sign-in fails.
const AGAIN: &str = "Sign in again: GET /api/auth/login.";

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Over => Self::unauthorized(format!("There is no session, or it is over. {AGAIN}"), None),
            SignInError::RefreshNeeded => Self::session_refresh_needed(),
            SignInError::RefreshUnderWay => {
                Self::unavailable("The session is being refreshed. Try again.").retry_after(1)
            }
            SignInError::Failed(why) => Self::sign_in_failed(format!("This sign-in cannot be finished. {why} {AGAIN}")),
            SignInError::Denied(code) => {
                Self::sign_in_failed(format!("The identity provider did not sign you in ({code}). {AGAIN}"))
            }
            SignInError::Refused(why) => Self::not_allowed(format!("{why} {AGAIN}")),
            SignInError::App(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_bound_to_this_host_over_tls_and_plain_on_the_local_stack() {
        let (tls, plain) = ("https://ccm.example.com".parse().unwrap(), "http://127.0.0.1:8000".parse().unwrap());
        assert_eq!(
            login_cookie(&tls, "value"),
            "__Host-login=value; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(login_cookie(&plain, "value"), "ccm-login-8000=value; Path=/; Max-Age=600; HttpOnly; SameSite=Lax");
        assert_eq!(Cookie::Session.name(&plain), "ccm-session-8000");
        assert_eq!(forget_session(&tls), "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn a_change_comes_from_a_page_of_ours() {
        let public_url = "https://ccm.example.com".parse().unwrap();
        assert!(check_origin(&public_url, Some("https://ccm.example.com")).is_ok());
        for other in [
            None,
            Some("null"),
            Some("https://evil.example"),
            Some("https://ccm.example.com.evil.example"),
            Some("https://ccm.example.com:8443"),
            Some("http://ccm.example.com"),
        ] {
            assert_eq!(check_origin(&public_url, other).unwrap_err().code, "cross_origin", "{other:?}");
        }
    }
}
