//! What a controller answers when it refuses: `{"code", "description"}`, always.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use local_state::StateError;
use serde_json::json;

use crate::model::Version;
use crate::model::licence::Refusal;

/// A refusal.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{description}")]
pub(crate) struct Failure {
    status: StatusCode,
    description: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, description: impl Into<String>) -> Self {
        Self { status, description: description.into() }
    }

    /// The request cannot be done as it stands.
    pub(crate) fn bad_request(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("Bad request: {why}"))
    }

    /// A field is wrong. CML packs this as JSON into the description.
    pub(crate) fn validation(location: &[&str], kind: &str, message: &str) -> Self {
        // Keys in CML's order, and the spaces of Python's JSON.
        let location = location.iter().map(|part| json!(part).to_string()).collect::<Vec<_>>().join(", ");
        let (kind, message) = (json!(kind), json!(message));
        let detail = format!(
            "{{\"Input validation failed\": [{{\"location\": [{location}], \"type\": {kind}, \"message\": {message}}}]}}"
        );
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A text is longer or shorter than CML takes it.
    pub(crate) fn length(location: &[&str], text: &str, least: usize, most: usize) -> Result<(), Self> {
        let characters = |count: usize| if count == 1 { "character" } else { "characters" };
        match text.chars().count() {
            count if count < least => {
                let message = format!("String should have at least {least} {}", characters(least));
                Err(Self::validation(location, "string_too_short", &message))
            }
            count if count > most => {
                let message = format!("String should have at most {most} {}", characters(most));
                Err(Self::validation(location, "string_too_long", &message))
            }
            _ => Ok(()),
        }
    }

    /// No valid token. CML says the same of a missing one and of one that is over.
    pub(crate) fn unauthorized(version: Version) -> Self {
        let why = "No authorization token provided.";
        let why = if version < Version::V2_9 {
            format!("Not authenticated: 401 Unauthorized: {why}")
        } else {
            why.to_owned()
        };
        Self::new(StatusCode::UNAUTHORIZED, why)
    }

    /// For administrators only.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "User does not have the required permission.")
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found: {id}"))
    }

    /// There is no such lab, or not for the caller. Clients look for these very words.
    pub(crate) fn no_lab(id: &str) -> Self {
        Self::not_found("Lab", id)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        tracing::error!(%error, "a simulated controller cannot remember");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = if refusal.conflict { StatusCode::CONFLICT } else { StatusCode::BAD_REQUEST };
        Self::new(status, format!("Licensing issue: {}", refusal.why))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.status.as_u16(), "description": self.description });
        (self.status, Json(body)).into_response()
    }
}
