//! The part of Spark History Server's REST API that clients use, with its names, shapes and texts.

mod applications;
mod error;
mod executors;
mod jobs;
mod stages;

use std::sync::Arc;

use axum::{Router, routing::get};
use moka_core::clock::Clock;
use tower::limit::GlobalConcurrencyLimitLayer;

use crate::store::{AttemptRecord, Store};

/// Requests that are answered at once; more wait for their turn.
const CONCURRENT_REQUESTS: usize = 64;
/// Rows that are taken out of the catalogue at once.
const PAGE_SIZE: u32 = 1000;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct Rest {
    /// The catalogue.
    pub store: Store,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// All routes, below `/api/v1`.
pub fn router(rest: Rest) -> Router {
    let routes = Router::new()
        .route("/applications", get(applications::list))
        .route("/applications/{id}", get(applications::one))
        .route("/applications/{id}/jobs", get(jobs::list))
        .route("/applications/{id}/jobs/{job_id}", get(jobs::one))
        .route("/applications/{id}/stages", get(stages::list))
        .route(
            "/applications/{id}/stages/{stage_id}",
            get(stages::attempts),
        )
        .route(
            "/applications/{id}/stages/{stage_id}/{attempt}",
            get(stages::one),
        )
        .route("/applications/{id}/executors", get(executors::active))
        .route("/applications/{id}/allexecutors", get(executors::all))
        .with_state(rest);
    Router::new()
        .nest("/api/v1", routes)
        .layer(GlobalConcurrencyLimitLayer::new(CONCURRENT_REQUESTS))
}

impl Rest {
    /// The attempt that a path names, by Spark's id or by ours.
    async fn find(&self, id: &str) -> Result<AttemptRecord, error::Error> {
        let found = self.store.find_attempt(id, 0).await?;
        let shown = found.filter(|record| record.summary.application.start_time.is_some());
        shown.ok_or_else(|| error::Error::not_found(format!("no such app: {id}")))
    }
}

/// The values of every `status=` of a query, in whatever case.
fn statuses<T: serde::de::DeserializeOwned>(query: Option<&str>) -> Result<Vec<T>, error::Error> {
    let values = query.into_iter().flat_map(|query| query.split('&'));
    let values = values.filter_map(|pair| pair.strip_prefix("status="));
    values
        .filter(|value| !value.is_empty())
        .map(|value| {
            let upper = serde_json::Value::String(value.to_uppercase());
            serde_json::from_value(upper)
                .map_err(|_unknown| error::Error::bad_request(format!("unknown status: {value}")))
        })
        .collect()
}
