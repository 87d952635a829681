//! Errors as RFC 9457 `application/problem+json`. Nothing internal gets in here.

use app::AppError;
use app::ports::CmlErrorKind;
use app::use_cases::controller::CREDENTIALS_HINT;
use domain::{Invalid, Role};
use serde::Serialize;

use crate::response::Response;

/// Most fields an answer names, and the most characters of a field's path and of what is said about
/// it: the caller chose how many there are, and often their words.
const ERRORS_MAX: usize = 50;
const FIELD_MAX_CHARS: usize = 200;
const MESSAGE_MAX_CHARS: usize = 600;

/// An error for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs; the last part of `type`.
    pub code: &'static str,
    /// What happened, and what to do.
    pub detail: String,
    /// What is wrong by field.
    pub errors: Vec<(String, String)>,
    /// Headers that belong to the status.
    pub headers: Vec<(&'static str, String)>,
    /// `Set-Cookie` values.
    pub cookies: Vec<String>,
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    errors: Vec<FieldWire<'a>>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct FieldWire<'a> {
    field: &'a str,
    message: &'a str,
}

impl Problem {
    fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: vec![], headers: vec![], cookies: vec![] }
    }

    /// 400.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, "malformed", detail)
    }

    /// 401, with the challenge of RFC 6750.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>, error: Option<&str>) -> Self {
        let mut problem = Self::new(401, "unauthorized", detail);
        let challenge = match error {
            None => "Bearer realm=\"cml-cloud-manager\"".to_owned(),
            Some(error) => format!("Bearer realm=\"cml-cloud-manager\", error=\"{error}\""),
        };
        problem.headers.push(("www-authenticate", challenge));
        problem
    }

    /// 403.
    #[must_use]
    pub fn forbidden(needed: Role) -> Self {
        Self::new(403, "forbidden", format!("This needs the role {} or above.", needed.name()))
    }

    /// 403, for another reason.
    #[must_use]
    pub fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(403, "forbidden", detail)
    }

    /// 403: a page of another site had the browser send its cookie.
    #[must_use]
    pub fn cross_origin(ours: &str) -> Self {
        Self::new(403, "cross_origin", format!("A change with a session cookie needs the header Origin: {ours}."))
    }

    /// 400: a sign-in by browser that cannot be finished.
    #[must_use]
    pub fn sign_in_failed(detail: impl Into<String>) -> Self {
        Self::new(400, "sign_in_failed", detail)
    }

    /// 401: the session goes on, after a refresh.
    #[must_use]
    pub fn session_refresh_needed() -> Self {
        let detail = "The session has to be refreshed: POST /api/auth/refresh, then the same request again.";
        Self { code: "session_refresh_needed", ..Self::unauthorized(detail, None) }
    }

    /// 404.
    #[must_use]
    pub fn not_found(kind: &str, id: &str) -> Self {
        Self::new(404, "not_found", format!("There is no {kind} {id:?}."))
    }

    /// 413.
    #[must_use]
    pub fn too_large(max_bytes: usize) -> Self {
        Self::new(413, "too_large", format!("The body must be at most {max_bytes} bytes."))
    }

    /// 415.
    #[must_use]
    pub fn unsupported_media_type(taken: &str, given: &str) -> Self {
        Self::new(415, "unsupported_media_type", format!("The body must be {taken}, not {given:?}."))
    }

    /// 422, by field.
    #[must_use]
    pub fn invalid(invalid: &Invalid) -> Self {
        let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let named = invalid.0.iter().take(ERRORS_MAX);
        let errors: Vec<_> =
            named.map(|f| (short(&f.field, FIELD_MAX_CHARS), short(&f.message, MESSAGE_MAX_CHARS))).collect();
        let said: Vec<_> = errors.iter().map(|(field, message)| format!("{field} {message}")).collect();
        let mut problem = Self::new(422, "invalid", format!("{}.", said.join("; ")));
        problem.errors = errors;
        problem
    }

    /// 500: our mistake. What it was is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "internal", "Something went wrong here. The request id finds it in the log.")
    }

    /// 503: something we need does not answer.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(503, "unavailable", detail);
        problem.headers.push(("retry-after", "5".into()));
        problem
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.retain(|(name, _)| *name != "retry-after");
        self.headers.push(("retry-after", seconds.to_string()));
        self
    }

    /// The same with a whole `Set-Cookie` value.
    #[must_use]
    pub fn cookie(mut self, set_cookie: impl Into<String>) -> Self {
        self.cookies.push(set_cookie.into());
        self
    }

    /// 503: it was given up before it was done.
    #[must_use]
    pub fn out_of_time() -> Self {
        Self::unavailable(
            "This took too long and was given up; what it was to change may have been changed. Read it again, or \
             send it again with the same Idempotency-Key.",
        )
    }

    fn title(&self) -> &'static str {
        match self.status {
            400 => "Malformed request",
            401 => "Not signed in",
            403 => "Not allowed",
            404 => "Not found",
            409 => "Conflict with the current state",
            412 => "The version has changed",
            413 => "Body too large",
            415 => "Unsupported media type",
            422 => "Invalid input",
            429 => "Too many requests",
            502 => "Upstream error",
            503 => "Unavailable",
            _ => "Internal error",
        }
    }

    /// The answer, for the request of that path and id.
    #[must_use]
    pub fn response(&self, instance: &str, request_id: &str) -> Response {
        let wire = Wire {
            kind: format!("urn:cml-cloud-manager:problem:{}", self.code),
            title: self.title(),
            status: self.status,
            detail: &self.detail,
            instance,
            errors: self.errors.iter().map(|(field, message)| FieldWire { field, message }).collect(),
            request_id,
        };
        let mut response = Response::json(self.status, &wire);
        response.headers = vec![("content-type", "application/problem+json".into())];
        response.headers.extend(self.headers.iter().cloned());
        response.cookies.clone_from(&self.cookies);
        response
    }
}

impl From<AppError> for Problem {
    /// The one place where an error of the application becomes an answer: what the caller is not told
    /// goes to the log here, once.
    fn from(error: AppError) -> Self {
        let problem = Self::of(&error);
        if problem.status >= 500 {
            tracing::error!(status = problem.status, error = causes(&error), "the request failed");
        }
        problem
    }
}

impl Problem {
    fn of(error: &AppError) -> Self {
        match error {
            AppError::Invalid(invalid) => Self::invalid(invalid),
            AppError::NotFound { kind, id } => Self::not_found(kind, id),
            AppError::Forbidden(why) => Self::not_allowed(format!("{}.", sentence(why))),
            AppError::Conflict(detail) => Self::new(409, "conflict", format!("{}.", sentence(detail))),
            AppError::RoleNeeded(role) => Self::forbidden(*role),
            AppError::NotTheirLab(refusal) => Self::not_allowed(format!("{}.", sentence(&refusal.to_string()))),
            AppError::Stale { expected, current } => Self::new(
                412,
                "stale",
                format!("If-Match says version {expected}, but it is {current}. Read it again and decide anew."),
            ),
            AppError::KeyReused => {
                let mut problem = Self::new(
                    422,
                    "idempotency_key_reused",
                    "This Idempotency-Key was used before for a different request. Use a new key.",
                );
                problem.errors.push(("Idempotency-Key".into(), "was used before for a different request".into()));
                problem
            }
            AppError::TooSoon { retry_after } => {
                let secs = retry_after.as_secs().max(1);
                let mut problem =
                    Self::new(429, "too_soon", format!("This was asked moments ago. Try again in {secs} s."));
                problem.headers.push(("retry-after", secs.to_string()));
                problem
            }
            AppError::Busy(_) => {
                Self::unavailable("Others are changing the same worker. Nothing was changed; try again.")
            }
            AppError::Unavailable(_) => {
                Self::unavailable("A service this one needs does not answer. Nothing was lost; try again.")
            }
            AppError::Ec2(e) if e.retryable() => {
                Self::unavailable(format!("EC2 does not answer as it should ({}).", e.code))
            }
            AppError::Ec2(e) => Self::new(502, "ec2", format!("EC2 refused: {}: {}", e.code, e.message)),
            AppError::Cml(e) if e.kind == CmlErrorKind::Refused => Self::new(502, "cml", e.message.clone()),
            AppError::Cml(e) if e.kind == CmlErrorKind::Denied => {
                Self::unavailable(format!("The CML controller refuses us: {} {CREDENTIALS_HINT}", e.message))
            }
            AppError::Cml(e) => Self::unavailable(format!("The CML controller cannot be used: {}", e.message)),
            AppError::Damaged(what) => Self::new(502, "damaged", format!("{}.", sentence(what))),
            AppError::Corrupt(_) => Self::internal(),
        }
    }
}

/// The error and all that led to it.
fn causes(error: &AppError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The text with a capital letter, as a sentence begins.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
