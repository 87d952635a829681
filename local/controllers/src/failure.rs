//! What a controller answers when it refuses: `{"code", "description"}`, always.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use local_state::StateError;
use serde_json::json;

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
        let detail = json!({ "Input validation failed": [{ "location": location, "type": kind, "message": message }] });
        Self::new(StatusCode::BAD_REQUEST, detail.to_string())
    }

    /// No valid token. CML says the same of a missing one and of one that is over.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "No authorization token provided.")
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

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.status.as_u16(), "description": self.description });
        (self.status, Json(body)).into_response()
    }
}
