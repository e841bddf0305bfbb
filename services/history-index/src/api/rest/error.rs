//! Errors in the History Server's form: a status and a plain text.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::api::lookup;

/// An answer that is no result.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    text: String,
}

impl Error {
    pub(super) fn not_found(text: String) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            text,
        }
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    pub(super) fn bad_request(text: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text,
        }
    }
}

impl From<moka_db::Error> for Error {
    fn from(error: moka_db::Error) -> Self {
        let status = if error.is_retryable() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self {
            status,
            text: lookup::failed(error).message,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, self.text).into_response()
    }
}
