//! Errors of what only the local stack has, in the form of the API's own.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName};
use serde_json::json;

use app::ports::Random;
use functions::OsRandom;

use crate::queues::uuid;

/// An error for a caller.
#[derive(Debug)]
pub(crate) struct LocalProblem {
    status: StatusCode,
    detail: String,
    instance: Option<String>,
    header: Option<(HeaderName, String)>,
}

impl LocalProblem {
    /// An error with that status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), instance: None, header: None }
    }

    /// 400.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The same about that path.
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.instance = Some(path.to_owned());
        self
    }

    /// The same with a header that belongs to the status.
    pub(crate) fn header(mut self, name: HeaderName, value: String) -> Self {
        self.header = Some((name, value));
        self
    }
}

impl IntoResponse for LocalProblem {
    fn into_response(self) -> Response {
        let request_id = uuid(OsRandom.next());
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "instance": self.instance,
            "errors": [],
            "request_id": request_id,
        });
        let mut response =
            (self.status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response();
        let ours = [("x-service-name", "cml-cloud-manager".into()), ("x-request-id", request_id)];
        for (name, value) in ours {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        if let Some((name, value)) = self.header
            && let Ok(value) = value.parse()
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
