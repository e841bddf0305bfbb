//! `/applications/<id>/jobs`.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
};

use super::{PAGE_SIZE, Rest, error::Error};
use crate::domain::model::{Job, JobStatus};

/// Newest first; `?status=` may be given several times.
pub(super) async fn list(
    State(rest): State<Rest>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Job>>, Error> {
    let statuses = super::statuses::<JobStatus>(query.as_deref())?;
    let record = rest.find(&id).await?;
    let mut jobs = Vec::new();
    let mut after = None;
    loop {
        let page = rest.store.list_jobs(record.key, after, PAGE_SIZE).await?;
        after = page.items.last().map(|job| job.job_id);
        jobs.extend(page.items);
        if !page.goes_on {
            break;
        }
    }
    jobs.retain(|job| statuses.is_empty() || statuses.contains(&job.status));
    jobs.reverse();
    Ok(Json(jobs))
}

pub(super) async fn one(
    State(rest): State<Rest>,
    Path((id, job_id)): Path<(String, i32)>,
) -> Result<Json<Job>, Error> {
    let record = rest.find(&id).await?;
    let job = rest.store.find_job(record.key, job_id).await?;
    job.map(Json)
        .ok_or_else(|| Error::not_found(format!("unknown job: {job_id}")))
}
