//! `/applications/<id>/stages`, always as with `details=false`.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
};

use super::{PAGE_SIZE, Rest, error::Error};
use crate::domain::model::{Stage, StageStatus};

/// Newest first; `?status=` may be given several times.
pub(super) async fn list(
    State(rest): State<Rest>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Stage>>, Error> {
    let statuses = super::statuses::<StageStatus>(query.as_deref())?;
    let record = rest.find(&id).await?;
    let mut stages = Vec::new();
    let mut after = None;
    loop {
        let page = rest.store.list_stages(record.key, after, PAGE_SIZE).await?;
        after = page
            .items
            .last()
            .map(|stage| (stage.stage_id, stage.attempt_id));
        stages.extend(page.items);
        if !page.goes_on {
            break;
        }
    }
    stages.retain(|stage| statuses.is_empty() || statuses.contains(&stage.status));
    stages.reverse();
    Ok(Json(stages))
}

/// All attempts of one stage.
pub(super) async fn attempts(
    State(rest): State<Rest>,
    Path((id, stage_id)): Path<(String, i32)>,
) -> Result<Json<Vec<Stage>>, Error> {
    let stages = of_stage(&rest, &id, stage_id).await?;
    Ok(Json(stages))
}

pub(super) async fn one(
    State(rest): State<Rest>,
    Path((id, stage_id, attempt)): Path<(String, i32, i32)>,
) -> Result<Json<Stage>, Error> {
    let stages = of_stage(&rest, &id, stage_id).await?;
    let known: Vec<_> = stages
        .iter()
        .map(|stage| stage.attempt_id.to_string())
        .collect();
    let found = stages.into_iter().find(|stage| stage.attempt_id == attempt);
    found.map(Json).ok_or_else(|| {
        Error::not_found(format!(
            "unknown attempt for stage {stage_id}.  Found attempts: [{}]",
            known.join(",")
        ))
    })
}

async fn of_stage(rest: &Rest, id: &str, stage_id: i32) -> Result<Vec<Stage>, Error> {
    let record = rest.find(id).await?;
    let before = stage_id.checked_sub(1).map(|before| (before, i32::MAX));
    let mut stages = rest
        .store
        .list_stages(record.key, before, PAGE_SIZE)
        .await?
        .items;
    stages.retain(|stage| stage.stage_id == stage_id);
    if stages.is_empty() {
        return Err(Error::not_found(format!("unknown stage: {stage_id}")));
    }
    Ok(stages)
}
