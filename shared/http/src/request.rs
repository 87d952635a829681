//! A request as an endpoint sees it: parsed by the border, identified by the middleware.

use std::collections::BTreeMap;

use domain::session::Person;
use domain::{Actor, ApiKeyId, BackupId, Invalid, InvalidField, LabId, OperationId, Role, Sight, Visibility, WorkerId};
use serde::de::DeserializeOwned;

use crate::api::Api;
use crate::problem::Problem;

/// Largest body: the largest user data in base64 or JSON escapes, and room for the rest.
pub const BODY_MAX_BYTES: usize = 256 * 1024;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The identity provider's stable id.
    pub subject: String,
    /// The name to show.
    pub username: String,
    /// The greatest role they have.
    pub role: Role,
    /// How they showed who they are.
    pub via: Via,
    /// Whose things are theirs: their own name, and for a key its maker's.
    pub acts_for: String,
    /// The one worker that their key is good for.
    pub bound_to: Option<WorkerId>,
}

/// How a caller showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// An access token of the issuer.
    Token,
    /// A browser session.
    Session,
    /// An API key, as it is.
    ApiKey,
    /// A request signed with a key.
    Signature,
}

impl Via {
    /// The name in answers and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::ApiKey => "api_key",
            Self::Signature => "signature",
        }
    }
}

impl Caller {
    /// A person who showed in that way who they are.
    #[must_use]
    pub fn person_via(person: Person, via: Via) -> Self {
        let Person { subject, username, role } = person;
        let caller = Self { subject, acts_for: username.clone(), username, role, via, bound_to: None };
        caller.note();
        caller
    }

    /// Notes in the request's span who calls, so that every line of the log tells, a refusal's too.
    pub(crate) fn note(&self) {
        let span = tracing::Span::current();
        span.record("caller", self.username.as_str());
        span.record("subject", self.subject.as_str());
        span.record("role", self.role.name());
        span.record("via", self.via.name());
    }

    /// What they see.
    #[must_use]
    pub fn sight(&self, visibility: Visibility) -> Sight {
        visibility.of(&self.acting_person())
    }

    /// The caller as the person whose things are theirs: of a key its maker's.
    #[must_use]
    pub fn acting_person(&self) -> Person {
        Person { username: self.acts_for.clone(), ..self.person() }
    }

    /// The caller as a person, for what people keep: keys, sessions.
    #[must_use]
    pub fn person(&self) -> Person {
        Person { subject: self.subject.clone(), username: self.username.clone(), role: self.role }
    }

    /// The caller as the actor of an event.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User { subject: self.subject.clone(), username: self.username.clone() }
    }
}

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

/// The value of a cookie. One that is there twice is nobody's: which of the two was set by us cannot be told.
#[must_use]
pub(crate) fn cookie<'a>(cookies: &'a [String], name: &str) -> Option<&'a str> {
    let mut values = cookie_values(cookies, name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Every value that a cookie is sent with.
pub(crate) fn cookie_values<'a>(cookies: &'a [String], name: &str) -> impl Iterator<Item = &'a str> {
    let pairs = cookies.iter().flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(has, _)| *has == name).map(|(_, value)| value)
}
