//! A call of the API: one line says what it does, where, and what it is called in errors.

use app::ports::{CmlError, CmlErrorKind};
use reqwest::Method;
use serde_json::Value;

use crate::errors::failure;

/// Everything is below this.
pub(crate) const BASE: &str = "/api/v0";
/// CML's ids are UUIDs; those of definitions and of old topologies are short names.
const ID_CHARS: usize = 128;

/// A body, and with it the content type.
#[derive(Clone)]
pub(crate) enum Body {
    None,
    Json(Value),
    /// With that content type, or with none, as Cisco's own client sends topologies.
    Raw(Option<String>, Vec<u8>),
}

#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Path and query, percent-encoded.
    pub(crate) path: String,
    pub(crate) body: Body,
    /// Its answer is large, and takes CML a while to make.
    pub(crate) bulk: bool,
}

impl Call {
    /// `GET /labs`.
    pub(crate) fn new(operation: &'static str) -> Result<Self, CmlError> {
        Self::with_ids(operation, &[])
    }

    /// `GET /labs/{lab_id}`: each name in braces gives way to the next of `ids`.
    pub(crate) fn with_ids(operation: &'static str, ids: &[&str]) -> Result<Self, CmlError> {
        let refused = |message: String| failure("connect", CmlErrorKind::Refused, format!("{operation}: {message}"));
        let (method, template) = operation.split_once(' ').unwrap_or(("GET", operation));
        let method = method.parse().map_err(|_| refused("no HTTP method".to_owned()))?;
        let mut ids = ids.iter();
        let mut path = BASE.to_owned();
        for segment in template.split('/').skip(1) {
            path.push('/');
            path.push_str(if segment.starts_with('{') {
                let id = ids.next().copied().filter(|id| is_id(id));
                id.ok_or_else(|| refused(format!("{segment} is missing, or not an id of CML's")))?
            } else {
                segment
            });
        }
        Ok(Self { operation, method, path, body: Body::None, bulk: false })
    }

    /// A call passed through, whose path was judged before.
    pub(crate) fn passed_through(operation: &'static str, method: Method, path: String, body: Body) -> Self {
        Self { operation, method, path, body, bulk: false }
    }

    /// Adds to the query what needs no encoding.
    pub(crate) fn query(mut self, query: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(query);
        self
    }

    /// It may take twice as long as others that read.
    pub(crate) fn bulk(self) -> Self {
        Self { bulk: true, ..self }
    }

    /// The body, as JSON.
    pub(crate) fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    /// The body, without a content type.
    pub(crate) fn untyped(self, body: &str) -> Self {
        Self { body: Body::Raw(None, body.as_bytes().to_vec()), ..self }
    }

    /// It only reads.
    pub(crate) fn reads(&self) -> bool {
        self.method == Method::GET
    }
}

/// Anything else could lead to another path, and delete another thing than the one meant.
fn is_id(id: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= ID_CHARS && id.bytes().all(usual) && id.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_its_operation_with_ids_in_place() {
        let call = Call::with_ids("PUT /labs/{lab_id}/nodes/{node_id}/state/start", &["a6a3-1", "n0"]).unwrap();
        assert_eq!((call.method.as_str(), call.path.as_str()), ("PUT", "/api/v0/labs/a6a3-1/nodes/n0/state/start"));
        let call = Call::new("GET /labs").unwrap().query("show_all=true").query("x=1");
        assert_eq!(call.path, "/api/v0/labs?show_all=true&x=1");
    }

    #[test]
    fn what_is_no_id_never_becomes_part_of_a_path() {
        for bad in ["", ".", "..", "a/b", "a%2fb", "a?b", "a#b", "a b", "é", &"a".repeat(129)] {
            let Err(error) = Call::with_ids("DELETE /labs/{lab_id}", &[bad]) else { panic!("{bad} is an id") };
            assert_eq!(error.kind, CmlErrorKind::Refused, "{bad}");
            assert!(!error.outcome_unknown(), "{bad}");
        }
        assert!(Call::with_ids("DELETE /labs/{lab_id}", &[]).is_err());
    }
}
