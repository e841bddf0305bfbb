//! `/applications` and `/applications/<id>`.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::{Deserialize, Serialize};

use super::{PAGE_SIZE, Rest, error::Error};
use crate::{
    domain::model::SparkTime,
    store::{ApplicationFilter, AttemptRecord},
};

/// As the History Server answers; `logSourceName` and `logSourceFullPath` are left out.
#[derive(Debug, Serialize)]
pub(super) struct ApplicationInfo {
    id: String,
    name: String,
    attempts: Vec<AttemptInfo>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptInfo {
    start_time: SparkTime,
    end_time: SparkTime,
    last_updated: SparkTime,
    duration: i64,
    spark_user: String,
    completed: bool,
    app_spark_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    start_time_epoch: i64,
    end_time_epoch: i64,
    last_updated_epoch: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListQuery {
    status: Option<String>,
    min_date: Option<String>,
    max_date: Option<String>,
    min_end_date: Option<String>,
    max_end_date: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(rest): State<Rest>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<ApplicationInfo>>, Error> {
    let end_to = date("maxEndDate", query.max_end_date.as_deref())?;
    let filter = ApplicationFilter {
        is_completed: completion(query.status.as_deref())?,
        start_from: date("minDate", query.min_date.as_deref())?,
        start_to: date("maxDate", query.max_date.as_deref())?,
        end_from: date("minEndDate", query.min_end_date.as_deref())?,
        end_to,
        // One that runs will end after now.
        without_running: end_to.is_some_and(|end| end.0 <= rest.clock.now().as_millisecond()),
    };
    let limit = query.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let mut found = Vec::new();
    let mut after = None;
    while found.len() < limit {
        let page = rest
            .store
            .list_applications(filter, after, PAGE_SIZE)
            .await?;
        let Some(last) = page.last() else { break };
        let end = last
            .summary
            .application
            .end_time
            .unwrap_or(SparkTime::NEVER);
        after = Some((end, last.spark_application_id.clone()));
        found.extend(page.iter().map(ApplicationInfo::of));
    }
    found.truncate(limit);
    Ok(Json(found))
}

pub(super) async fn one(
    State(rest): State<Rest>,
    Path(id): Path<String>,
) -> Result<Json<ApplicationInfo>, Error> {
    match rest.find(&id).await {
        Ok(record) => Ok(Json(ApplicationInfo::of(&record))),
        Err(error) => Err(error.renamed(&id)),
    }
}

impl Error {
    /// The History Server words it otherwise where the application itself is asked for.
    fn renamed(self, id: &str) -> Self {
        if self.is_not_found() {
            Self::not_found(format!("unknown app: {id}"))
        } else {
            self
        }
    }
}

impl ApplicationInfo {
    fn of(record: &AttemptRecord) -> Self {
        let summary = &record.summary;
        let application = &summary.application;
        let start = application.start_time.unwrap_or(SparkTime::NEVER);
        let end = application.end_time.filter(|_| summary.is_completed);
        let shown_end = end.unwrap_or(SparkTime::NEVER);
        let last_updated = summary.last_updated.unwrap_or(start);
        Self {
            id: record.spark_application_id.clone(),
            name: application.name.clone(),
            attempts: vec![AttemptInfo {
                start_time: start,
                end_time: shown_end,
                last_updated,
                duration: end.map_or(0, |end| end.0.saturating_sub(start.0)),
                spark_user: application.user.clone(),
                completed: summary.is_completed,
                app_spark_version: application.spark_version.clone(),
                exit_code: application.exit_code.filter(|_| summary.is_completed),
                start_time_epoch: start.0,
                end_time_epoch: shown_end.0,
                last_updated_epoch: last_updated.0,
            }],
        }
    }
}

fn completion(status: Option<&str>) -> Result<Option<bool>, Error> {
    match status {
        None | Some("") => Ok(None),
        Some(status) if status.eq_ignore_ascii_case("completed") => Ok(Some(true)),
        Some(status) if status.eq_ignore_ascii_case("running") => Ok(Some(false)),
        Some(_) => Err(Error::bad_request(
            "status must be completed or running".to_owned(),
        )),
    }
}

/// `2026-01-01T00:00:00.000GMT` or `2026-01-01`.
fn date(name: &str, text: Option<&str>) -> Result<Option<SparkTime>, Error> {
    let Some(text) = text else { return Ok(None) };
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00.000GMT")
    } else {
        text.to_owned()
    };
    match serde_json::from_value(serde_json::Value::String(whole)) {
        Ok(time) => Ok(Some(time)),
        Err(_unreadable) => Err(Error::bad_request(format!(
            "{name} must be of the form 2026-01-01 or 2026-01-01T00:00:00.000GMT"
        ))),
    }
}
