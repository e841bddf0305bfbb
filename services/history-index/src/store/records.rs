//! Rows as the rest of the service sees them.

use moka_core::ApplicationId;
use moka_db::Error;
use serde::{Deserialize, Serialize};
use sqlx::{Row as _, any::AnyRow};

use crate::domain::model::{Application, Counts, SparkTime};

/// Names one attempt of one application of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// Our id.
    pub application_id: ApplicationId,
    /// From 1.
    pub attempt_number: u32,
}

/// What submission tells of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAttempt {
    /// Which one.
    pub key: AttemptKey,
    /// Spark's id; empty until there is a driver.
    pub spark_application_id: String,
    /// Version of submission's record.
    pub submission_version: i64,
    /// When it was found to have ended, microseconds since the epoch.
    pub ended_at: Option<i64>,
}

/// How far the log of an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogState {
    /// There is none yet.
    Waiting,
    /// It is read as it grows.
    Indexing,
    /// It was read to its end.
    Settled,
    /// It cannot be read; the problem says why.
    Refused,
}

impl LogState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Indexing => "indexing",
            Self::Settled => "settled",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        [Self::Waiting, Self::Indexing, Self::Settled, Self::Refused]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| damaged(format!("unknown log state {text}")))
    }
}

/// One attempt as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Which one.
    pub key: AttemptKey,
    /// Spark's id as submission knows it.
    pub spark_application_id: String,
    /// When submission saw it end, microseconds since the epoch.
    pub ended_at: Option<i64>,
    /// How far its log has come.
    pub log_state: LogState,
    /// Why its log is refused; empty otherwise.
    pub log_problem: String,
    /// What its log says.
    pub summary: Summary,
}

/// What a log says of the application as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// In the log's own words.
    pub application: Application,
    /// The status marker is final, and the log has its end.
    pub is_completed: bool,
    /// Something is known to be missing.
    pub is_incomplete: bool,
    /// When the newest chunk was written.
    pub last_updated: Option<SparkTime>,
    /// Events that were read.
    pub event_count: u64,
    /// Bytes that were read.
    pub event_bytes: u64,
}

/// The part of a summary that is looked up, but not searched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SummaryDocument {
    name: String,
    user: String,
    spark_version: String,
    exit_code: Option<i32>,
    jobs: i32,
    succeeded_jobs: i32,
    failed_jobs: i32,
    stages: i32,
    completed_stages: i32,
    failed_stages: i32,
    skipped_stages: i32,
    tasks: i64,
    failed_tasks: i64,
    executors: i32,
}

impl Default for SummaryDocument {
    fn default() -> Self {
        Self::of(&Application::default())
    }
}

impl SummaryDocument {
    pub(super) fn of(application: &Application) -> Self {
        let Counts {
            jobs,
            succeeded_jobs,
            failed_jobs,
            stages,
            completed_stages,
            failed_stages,
            skipped_stages,
            tasks,
            failed_tasks,
            executors,
        } = application.counts;
        Self {
            name: application.name.clone(),
            user: application.user.clone(),
            spark_version: application.spark_version.clone(),
            exit_code: application.exit_code,
            jobs,
            succeeded_jobs,
            failed_jobs,
            stages,
            completed_stages,
            failed_stages,
            skipped_stages,
            tasks,
            failed_tasks,
            executors,
        }
    }

    fn counts(&self) -> Counts {
        Counts {
            jobs: self.jobs,
            succeeded_jobs: self.succeeded_jobs,
            failed_jobs: self.failed_jobs,
            stages: self.stages,
            completed_stages: self.completed_stages,
            failed_stages: self.failed_stages,
            skipped_stages: self.skipped_stages,
            tasks: self.tasks,
            failed_tasks: self.failed_tasks,
            executors: self.executors,
        }
    }
}

impl AttemptRecord {
    /// Reads a row of `history_attempts`, all its columns.
    pub(super) fn read(row: &AnyRow) -> Result<Self, Error> {
        let spark_application_id: String = row.try_get("spark_application_id")?;
        let document: SummaryDocument = parse_document(&row.try_get::<String, _>("document")?)?;
        let time = |column: &str| -> Result<_, Error> {
            let milliseconds = row.try_get::<i64, _>(column)?;
            Ok(Some(SparkTime(milliseconds)).filter(|time| *time != SparkTime::NEVER))
        };
        let is_listed = row.try_get::<i64, _>("is_listed")? != 0;
        let summary = Summary {
            application: Application {
                spark_application_id: if is_listed {
                    spark_application_id.clone()
                } else {
                    String::new()
                },
                counts: document.counts(),
                name: document.name,
                user: document.user,
                spark_version: document.spark_version,
                start_time: time("start_time")?,
                end_time: time("end_time")?,
                exit_code: document.exit_code,
            },
            is_completed: row.try_get::<i64, _>("is_completed")? != 0,
            is_incomplete: row.try_get::<i64, _>("is_incomplete")? != 0,
            last_updated: time("last_updated")?,
            event_count: row.try_get::<i64, _>("event_count")?.unsigned_abs(),
            event_bytes: row.try_get::<i64, _>("event_bytes")?.unsigned_abs(),
        };
        Ok(Self {
            key: AttemptKey::read(row)?,
            spark_application_id,
            ended_at: row.try_get("ended_at")?,
            log_state: LogState::parse(&row.try_get::<String, _>("log_state")?)?,
            log_problem: row.try_get("log_problem")?,
            summary,
        })
    }
}

impl AttemptKey {
    pub(super) fn read(row: &AnyRow) -> Result<Self, Error> {
        let application_id: String = row.try_get("application_id")?;
        let attempt_number: i64 = row.try_get("attempt_number")?;
        let (Ok(application_id), Ok(attempt_number)) =
            (application_id.parse(), u32::try_from(attempt_number))
        else {
            return Err(damaged(format!(
                "no attempt: {application_id}, {attempt_number}"
            )));
        };
        Ok(Self {
            application_id,
            attempt_number,
        })
    }
}

/// Reads a document of ours.
pub(super) fn parse_document<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| damaged(format!("a document: {error}")))
}

/// Writes a document.
pub(super) fn document_of<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our documents have text keys and finite numbers")
}

/// A row that no release of ours wrote.
pub(super) fn damaged(what: String) -> Error {
    Error::Defect(sqlx::Error::Decode(what.into()))
}

/// A count as a column.
pub(super) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
