//! `GET /api/auth/login`

use app::PublicUrl;
use app::use_cases::begin_login::begin_login;
use url::Url;

use crate::api::Api;
use crate::auth::session::{Cookie, login_cookie, public_url};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;

pub(crate) async fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    let public_url = public_url(&api.context)?;
    let return_to = request.query.get("return_to").map(String::as_str);
    let host = request.headers.get("host").map(String::as_str);
    if let Some(there) = at_our_address(host, public_url, return_to) {
        return Ok(Response::found(there));
    }
    let begun = request.cookie(&Cookie::Login.name(public_url));
    let login = begin_login(&api.context, api.identity()?, return_to, begun).await?;
    Ok(Response::found(login.url).cookie(login_cookie(public_url, &login.browser)))
}

/// This login at the address where browsers reach us, if the request came by another. The local stack answers at
/// localhost too, and the issuer sends the browser back to 127.0.0.1, which would not have the cookie. Over TLS the
/// header says nothing: a proxy in front of API Gateway puts its own there.
fn at_our_address(host: Option<&str>, public_url: &PublicUrl, return_to: Option<&str>) -> Option<String> {
    if public_url.is_https() || host?.eq_ignore_ascii_case(public_url.authority()) {
        return None;
    }
    let mut url = Url::parse(&public_url.at("/api/auth/login")).ok()?;
    if let Some(path) = return_to {
        url.query_pairs_mut().append_pair("return_to", path);
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_by_another_name_of_this_machine_begins_anew_at_its_address() {
        let there = |public_url: &str, host: Option<&str>, return_to: Option<&str>| {
            at_our_address(host, &public_url.parse().unwrap(), return_to)
        };
        let plain = "http://127.0.0.1:8000";
        let url = there(plain, Some("localhost:8000"), Some("/workers?a=b&c=d")).unwrap();
        assert_eq!(url, "http://127.0.0.1:8000/api/auth/login?return_to=%2Fworkers%3Fa%3Db%26c%3Dd");
        assert_eq!(there(plain, Some("localhost:8000"), None).unwrap(), "http://127.0.0.1:8000/api/auth/login");
        // It is there already, or it cannot be told: redirecting would never end.
        assert_eq!(there(plain, Some("127.0.0.1:8000"), None), None);
        assert_eq!(there(plain, None, None), None);
        assert_eq!(there("https://ccm.example.com", Some("api.example"), None), None);
    }
}
