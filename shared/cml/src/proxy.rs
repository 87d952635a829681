//! Calls passed through as they are, with our token and nothing of the caller's.

use app::ports::{CmlAccess, CmlError, CmlErrorKind, CmlProxy, ProxyAnswer, ProxyMethod, ProxyRequest};
use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};

use crate::CmlClient;
use crate::call::{BASE, Body, Call};
use crate::errors::{failure, from_answer};
use crate::transport::read_up_to;

/// What a function can answer with, 6 MB, is a third less before it is encoded.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Longer than any path and query of CML's.
const PATH_BYTES: usize = 4_096;

fn refused(message: &str) -> CmlError {
    failure("connect", CmlErrorKind::Refused, message)
}

/// The operation of an error: a path of the caller's is not repeated.
fn operation(method: ProxyMethod) -> (&'static str, Method) {
    match method {
        ProxyMethod::Get => ("GET (passed through)", Method::GET),
        ProxyMethod::Post => ("POST (passed through)", Method::POST),
        ProxyMethod::Put => ("PUT (passed through)", Method::PUT),
        ProxyMethod::Patch => ("PATCH (passed through)", Method::PATCH),
        ProxyMethod::Delete => ("DELETE (passed through)", Method::DELETE),
    }
}

/// The whole path, if everyone who reads it reads the same: no dot segments, empty segments, encoded
/// slashes or dots, nothing that a URL parser changes.
fn checked(path_and_query: &str) -> Result<String, CmlError> {
    let unclear = || refused("the path to pass through is not a plain path below /api/v0");
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let segments = path.strip_prefix('/').ok_or_else(unclear)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:@!$'()*+,=".contains(&byte);
    let segment_ok =
        |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain);
    if path_and_query.len() > PATH_BYTES || !segments.split('/').all(segment_ok) {
        return Err(unclear());
    }
    let whole = format!("{BASE}{path_and_query}");
    let parsed = Url::parse("https://controller/").and_then(|origin| origin.join(&whole)).map_err(|_| unclear())?;
    let unchanged = parsed.path() == format!("{BASE}{path}") && parsed.query() == query && parsed.fragment().is_none();
    if unchanged { Ok(whole) } else { Err(unclear()) }
}

fn call(request: ProxyRequest<'_>) -> Result<Call, CmlError> {
    let (operation, method) = operation(request.method);
    let path = checked(request.path_and_query)?;
    if request.content_type.is_some_and(|content_type| HeaderValue::from_str(content_type).is_err()) {
        return Err(refused("the content type to pass through is not one"));
    }
    let body = if request.body.is_empty() {
        Body::None
    } else {
        Body::Raw(request.content_type.map(str::to_owned), request.body.to_vec())
    };
    Ok(Call::passed_through(operation, method, path, body))
}

#[async_trait]
impl CmlProxy for CmlClient {
    async fn forward(&self, access: CmlAccess<'_>, request: ProxyRequest<'_>) -> Result<ProxyAnswer, CmlError> {
        let call = call(request)?;
        let response = self.session(access).await?.exchange(&call).await?;
        let status = response.status();
        if status.is_redirection() {
            return Err(from_answer(call.operation, status, b""));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(ProxyAnswer {
            status: status.as_u16(),
            content_type: content_type.map(str::to_owned),
            body: read_up_to(ANSWER_BYTES, call.operation, response).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_passed_through_below_the_api() {
        for plain in ["/labs", "/labs?show_all=true", "/labs/a6a3-1/nodes/n0/consoles/0/log?lines=5&x=%20y"] {
            assert_eq!(checked(plain).unwrap(), format!("/api/v0{plain}"));
        }
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for unclear in [
            "",
            "labs",
            "/",
            "//labs",
            "/labs/",
            "/labs//x",
            "/../../x",
            "/labs/..",
            "/labs/./x",
            "/labs/%2e%2e/users",
            "/labs%2fx",
            "/labs/%5cx",
            "/labs\\x",
            "/labs/..;/users",
            "/labs/x#y",
            "/labs?x#y",
            "/labs x",
            "/labs\r\nx",
            "/labs?x y",
            "/é",
            "/labs?é",
            "/labs/%00",
            "https://elsewhere.example/labs",
            "@elsewhere.example/labs",
        ] {
            assert_eq!(checked(unclear).unwrap_err().kind, CmlErrorKind::Refused, "{unclear:?}");
        }
        assert!(checked(&format!("/{}", "a".repeat(PATH_BYTES))).is_err());
    }
}
