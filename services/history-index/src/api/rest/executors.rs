//! `/applications/<id>/executors` and `/applications/<id>/allexecutors`.

use axum::{
    Json,
    extract::{Path, State},
};

use super::{PAGE_SIZE, Rest, error::Error};
use crate::{api::convert, domain::model::Executor};

/// Those that were not removed, the last name first, unlike the list of all.
pub(super) async fn active(
    State(rest): State<Rest>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Executor>>, Error> {
    let mut executors = load(&rest, &id).await?;
    executors.retain(|executor| executor.is_active);
    executors.reverse();
    Ok(Json(executors))
}

pub(super) async fn all(
    State(rest): State<Rest>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Executor>>, Error> {
    Ok(Json(load(&rest, &id).await?))
}

async fn load(rest: &Rest, id: &str) -> Result<Vec<Executor>, Error> {
    let record = rest.find(id).await?;
    let now = rest.clock.now();
    let mut executors: Vec<Executor> = Vec::new();
    loop {
        let after = executors.last().map(|executor| executor.id.clone());
        let page = rest
            .store
            .list_executors(record.key, after.as_deref(), PAGE_SIZE)
            .await?;
        let application = &record.summary.application;
        executors.extend(
            page.items
                .into_iter()
                .map(|one| convert::at(one, application, now)),
        );
        if !page.goes_on {
            return Ok(executors);
        }
    }
}
