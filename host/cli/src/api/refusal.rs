//! Errors as answers: a status, what is wrong, and what to do instead.

use crate::failure::Failure;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use weir_engine::{EngineError, ErrorKind};

/// An error as the answer: its status, what is wrong, and what to do.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    pub hint: Option<String>,
}

impl Refusal {
    /// With this status.
    pub fn new(status: StatusCode, message: impl Into<String>, hint: &str) -> Self {
        Self { status, message: message.into(), hint: Some(hint.to_owned()) }
    }

    /// With this status, and no advice.
    pub fn without_hint(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: None }
    }

    /// The answer's body.
    pub fn document(&self) -> Value {
        let Self { message, hint, .. } = self;
        json!({ "error": { "message": message, "hint": hint } })
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        let status = match error.kind() {
            ErrorKind::FixInput => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Retry | ErrorKind::Restart => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Corrupt | ErrorKind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Engine(error) => error.into(),
            Failure::Usage { .. } | Failure::JobFile(_) => {
                Self { status: StatusCode::UNPROCESSABLE_ENTITY, message: failure.text(), hint: failure.hint().map(str::to_owned) }
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.document())).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_and_what_to_do() {
        let status = |kind| Refusal::from(EngineError::new(kind, "x").with_hint("y")).status.as_u16();
        assert_eq!(status(ErrorKind::FixInput), 422);
        assert_eq!(status(ErrorKind::Restart), 503);
        assert_eq!(status(ErrorKind::Bug), 500);
    }
}
