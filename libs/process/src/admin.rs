//! The admin port: health, metrics and the log filter over HTTP.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    ProcessContext,
    log_filter::{self, LogFilter},
};

/// As the `OpenMetrics` specification writes it.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone)]
struct Admin {
    context: ProcessContext,
    log_filter: LogFilter,
}

/// The routes of the admin port.
pub(crate) fn router(context: ProcessContext, log_filter: LogFilter) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/log-filter", get(show_log_filter).put(change_log_filter))
        .fallback(get(page))
        .with_state(Admin {
            context,
            log_filter,
        })
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, String) {
    let missing = admin.context.readiness.missing();
    if missing.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {}\n", missing.join(", ")),
    )
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.context.metrics_text() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn page(State(admin): State<Admin>, uri: Uri) -> Response {
    match admin.context.page(uri.path()) {
        Some(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn show_log_filter(State(admin): State<Admin>) -> Result<String, log_filter::Error> {
    Ok(admin.log_filter.show()? + "\n")
}

async fn change_log_filter(
    State(admin): State<Admin>,
    directives: String,
) -> Result<String, log_filter::Error> {
    admin.log_filter.change(&directives)?;
    Ok(admin.log_filter.show()? + "\n")
}

impl IntoResponse for log_filter::Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Parse(_) => StatusCode::BAD_REQUEST,
            Self::Gone(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}
