//! A request as an endpoint sees it: parsed by the border, identified by the middleware.

use std::collections::BTreeMap;

use domain::{ApiKeyId, BackupId, EvidenceId, Invalid, InvalidField, LabId, OperationId, Sight, WorkerId};
use serde::de::DeserializeOwned;

use crate::api::Api;
use crate::caller::Caller;
use crate::incoming::cookie;
use crate::problem::Problem;

/// Largest body: the largest user data in base64 or JSON escapes, and room for the rest.
pub const BODY_MAX_BYTES: usize = 256 * 1024;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path as called, for `instance` in problems.
    pub path: String,
    /// Path parameters, percent-decoded.
    pub path_parameters: BTreeMap<String, String>,
    /// Query parameters, percent-decoded; of a repeated one the last.
    pub query: BTreeMap<String, String>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Cookies as the browser sent them, `name=value` each.
    pub cookies: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
    /// Who calls; null on public endpoints.
    pub caller: Option<Caller>,
}

impl Request {
    /// The caller of a signed-in endpoint.
    ///
    /// # Errors
    /// 401, should the middleware ever let one pass without.
    pub fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(|| Problem::unauthorized("Sign in first.", None))
    }

    /// What the caller sees.
    ///
    /// # Errors
    /// As [`caller`](Self::caller).
    pub fn sight(&self, api: &Api) -> Result<Sight, Problem> {
        Ok(self.caller()?.sight(api.context.settings.visibility))
    }

    /// The value of a cookie; none when it is absent or sent twice.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        cookie(&self.cookies, name)
    }

    /// The worker in the path. A malformed id is a worker that does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn worker_id(&self) -> Result<WorkerId, Problem> {
        let text = self.path_parameters.get("worker_id").map_or("", String::as_str);
        text.parse().map_err(|_| Problem::not_found("worker", text))
    }

    /// The lab in the path. A malformed id is a lab that does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn lab_id(&self) -> Result<LabId, Problem> {
        let text = self.path_parameters.get("lab_id").map_or("", String::as_str);
        text.parse().map_err(|_| Problem::not_found("lab", text))
    }

    /// The API key in the path. A malformed id is a key that does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn key_id(&self) -> Result<ApiKeyId, Problem> {
        let text = self.path_parameters.get("key_id").map_or("", String::as_str);
        text.parse().map_err(|_| Problem::not_found("API key", text))
    }

    /// The backup in the path. A malformed id is a backup that does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn backup_id(&self) -> Result<BackupId, Problem> {
        let text = self.path_parameters.get("backup_id").map_or("", String::as_str);
        text.parse().map_err(|_| Problem::not_found("backup", text))
    }

    /// The evidence in the path. A malformed id is evidence that does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn evidence_id(&self) -> Result<EvidenceId, Problem> {
        let text = self.path_parameters.get("evidence_id").map_or("", String::as_str);
        text.parse().map_err(|_| Problem::not_found("evidence", text))
    }

    /// The operation in the path. A malformed id is an operation that does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn operation_id(&self) -> Result<OperationId, Problem> {
        let text = self.path_parameters.get("operation_id").map_or("", String::as_str);
        text.parse().map_err(|_| Problem::not_found("operation", text))
    }

    /// The JSON body.
    ///
    /// # Errors
    /// 415 for another content type, 400 for what is not JSON, 422 with the field for a wrong type,
    /// an unknown or a missing field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let media_type = self.media_type();
        if media_type != "application/json" {
            return Err(Problem::unsupported_media_type("application/json", &media_type));
        }
        crate::body::parse(&self.body)
    }

    /// The body's media type in lower case, without its parameters; empty when there is none.
    #[must_use]
    pub fn media_type(&self) -> String {
        let content_type = self.headers.get("content-type").map_or("", String::as_str);
        content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }

    /// `If-Match`: the version the caller expects, none when absent or `*`.
    ///
    /// # Errors
    /// 400 when it is not an `ETag` of ours.
    pub fn if_match(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = self.headers.get("if-match").map(|t| t.trim()).filter(|t| *t != "*") else { return Ok(None) };
        text.strip_prefix('"')
            .and_then(|t| t.strip_suffix('"'))
            .and_then(|digits| digits.parse().ok())
            .map(Some)
            .ok_or_else(|| {
                Problem::bad_request("The header If-Match must be an ETag of this resource, such as \"3\", or *.")
            })
    }

    /// `Idempotency-Key`, 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    /// 400 when it is longer or has other characters.
    pub fn idempotency_key(&self) -> Result<Option<String>, Problem> {
        let Some(key) = self.headers.get("idempotency-key") else { return Ok(None) };
        if key.is_empty() || key.len() > 128 || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::bad_request(
                "The header Idempotency-Key must have 1 to 128 visible ASCII characters, without spaces.",
            ));
        }
        Ok(Some(key.clone()))
    }

    /// `?limit=`, 1 to 200, 50 by default.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn limit(&self) -> Result<u32, Problem> {
        match self.query.get("limit") {
            None => Ok(50),
            Some(text) => match text.parse() {
                Ok(limit @ 1..=200) => Ok(limit),
                _ => Err(Problem::invalid(&InvalidField::new("limit", "must be 1 to 200").into())),
            },
        }
    }

    /// `?cursor=`.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        self.query.get("cursor").filter(|c| !c.is_empty()).cloned()
    }

    /// A query parameter that must be one of some names.
    ///
    /// # Errors
    /// 422 with the field and the names.
    pub fn one_of<T>(
        &self,
        name: &str,
        names: &[&str],
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.query.get(name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| {
            let mut invalid = Invalid::default();
            invalid.push(name, format!("must be one of {}", names.join(", ")));
            Problem::invalid(&invalid)
        })
    }
}
