//! What a failure means, judged by status and kind, never by words.

use std::error::Error as _;
use std::io;

use app::ports::{CmlError, CmlErrorKind};
use reqwest::StatusCode;
use serde_json::Value;

/// A description longer than this is cut: it ends up in an item and in an answer.
const MESSAGE_CHARS: usize = 4_096;

pub(crate) fn failure(operation: &'static str, kind: CmlErrorKind, message: impl Into<String>) -> CmlError {
    CmlError { operation, status: None, kind, message: message.into() }
}

pub(crate) fn malformed(operation: &'static str, message: impl Into<String>) -> CmlError {
    failure(operation, CmlErrorKind::Malformed, message)
}

/// An answer that is no success. CML explains itself in `{"code", "description"}`; anything else
/// comes from the web server in front of it.
pub(crate) fn from_answer(operation: &'static str, status: StatusCode, body: &[u8]) -> CmlError {
    let code = status.as_u16();
    let kind = match code {
        401 | 403 => CmlErrorKind::Denied,
        400..=499 => CmlErrorKind::Refused,
        // A 500 of CML's own is as passing as a 502 of its web server: services restart one by one.
        500..=599 => CmlErrorKind::NotReady,
        _ => CmlErrorKind::Malformed,
    };
    let message = description(body).unwrap_or_else(|| match code {
        502..=504 => format!("its web server answers {code} for it"),
        300..=399 => format!("it answers {code}, a redirect, which is never followed"),
        _ => format!("it answers {code}"),
    });
    CmlError { operation, status: Some(code), kind, message }
}

fn description(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = body.get("description")?.as_str()?;
    Some(text.chars().take(MESSAGE_CHARS).collect())
}

/// No answer, or only half of one.
pub(crate) fn from_transport(operation: &'static str, error: &reqwest::Error) -> CmlError {
    if error.is_builder() {
        return failure(operation, CmlErrorKind::Refused, format!("the request cannot be made: {}", root_cause(error)));
    }
    let message = if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else if error.is_connect() {
        format!("no connection: {}", root_cause(error))
    } else {
        format!("the connection broke: {}", root_cause(error))
    };
    // Without a connection nothing was sent, so nothing can have been done.
    let operation = if error.is_connect() { "connect" } else { operation };
    failure(operation, CmlErrorKind::Unreachable, message)
}

/// The innermost cause, in words that are for callers.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut next = error.source();
    while let Some(inner) = next {
        cause = inner;
        next = inner.source();
    }
    match cause.downcast_ref::<io::Error>() {
        // TLS has a lecture on it.
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => "it was cut off".to_owned(),
        // The outer ones only repeat the address.
        _ => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> CmlError {
        from_answer("GET /labs", StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn cml_s_own_words_are_kept_word_for_word() {
        let said = answer(400, r#"{"code": 400, "description": "Licensing issue: nodes are running."}"#);
        assert_eq!(said.message, "Licensing issue: nodes are running.");
        assert_eq!((said.kind, said.status), (CmlErrorKind::Refused, Some(400)));
        let inner = r#"{"Input validation failed": [{"location": ["body", "username"], "type": "missing"}]}"#;
        let body = serde_json::json!({"code": 400, "description": inner}).to_string();
        assert_eq!(answer(400, &body).message, inner);
    }

    #[test]
    fn a_status_decides_the_kind_and_html_is_not_repeated() {
        for (status, kind, message) in [
            (301, CmlErrorKind::Malformed, "it answers 301, a redirect, which is never followed"),
            (401, CmlErrorKind::Denied, "it answers 401"),
            (403, CmlErrorKind::Denied, "it answers 403"),
            (404, CmlErrorKind::Refused, "it answers 404"),
            (500, CmlErrorKind::NotReady, "it answers 500"),
            (502, CmlErrorKind::NotReady, "its web server answers 502 for it"),
            (503, CmlErrorKind::NotReady, "its web server answers 503 for it"),
            (504, CmlErrorKind::NotReady, "its web server answers 504 for it"),
        ] {
            let error = answer(status, "<html><h1>nginx</h1></html>");
            assert_eq!((error.kind, error.message.as_str()), (kind, message), "{status}");
            assert_eq!(error.retryable(), status >= 500, "{status}");
        }
    }

    #[test]
    fn an_endless_description_is_cut() {
        let body = serde_json::json!({"code": 400, "description": "é".repeat(10_000)}).to_string();
        assert_eq!(answer(400, &body).message.chars().count(), MESSAGE_CHARS);
    }
}
