//! An answer.

use serde::Serialize;

/// An answer, before the middleware adds its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, in order; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// `Set-Cookie` values, in order.
    pub cookies: Vec<String>,
    /// The body, text.
    pub body: String,
}

impl Response {
    /// A JSON answer.
    #[must_use]
    pub fn json<T: Serialize>(status: u16, body: &T) -> Self {
        // Wire types are structs of plain data: they always serialise.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, headers: vec![("content-type", "application/json".into())], cookies: vec![], body }
    }

    /// A text answer of another type.
    #[must_use]
    pub fn text(content_type: &str, body: String) -> Self {
        Self { status: 200, headers: vec![("content-type", content_type.into())], cookies: vec![], body }
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, headers: vec![], cookies: vec![], body: String::new() }
    }

    /// 302 to another place.
    #[must_use]
    pub fn found(location: impl Into<String>) -> Self {
        let headers = vec![("location", location.into())];
        Self { status: 302, headers, cookies: vec![], body: String::new() }
    }

    /// Sets a cookie: a whole `Set-Cookie` value.
    #[must_use]
    pub fn cookie(mut self, set_cookie: impl Into<String>) -> Self {
        self.cookies.push(set_cookie.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds the `ETag` of content that never changes, by its hash.
    #[must_use]
    pub fn etag_of(self, hash: &str) -> Self {
        self.header("etag", format!("\"{hash}\""))
    }

    /// Adds the `ETag` of a version.
    #[must_use]
    pub fn etag(self, version: u64) -> Self {
        self.header("etag", format!("\"{version}\""))
    }
}
