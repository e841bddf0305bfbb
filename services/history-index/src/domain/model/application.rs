//! The application as a whole.

use super::SparkTime;

/// What the log tells of the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// Spark's own id; empty until the log names it.
    pub spark_application_id: String,
    /// The name that it gave itself.
    pub name: String,
    /// The user that Spark ran as.
    pub user: String,
    /// Version of Spark.
    pub spark_version: String,
    /// When it started.
    pub start_time: Option<SparkTime>,
    /// When it ended, in its own words.
    pub end_time: Option<SparkTime>,
    /// The driver's exit code, which Spark tells from version 4 on.
    pub exit_code: Option<i32>,
    /// Counts over all of it.
    pub counts: Counts,
}

/// How much an application did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs that were started.
    pub jobs: i32,
    /// Jobs that succeeded.
    pub succeeded_jobs: i32,
    /// Jobs that failed.
    pub failed_jobs: i32,
    /// Stage attempts that are known.
    pub stages: i32,
    /// Stage attempts that completed.
    pub completed_stages: i32,
    /// Stage attempts that failed.
    pub failed_stages: i32,
    /// Stage attempts that were skipped.
    pub skipped_stages: i32,
    /// Task attempts that ended.
    pub tasks: i64,
    /// Task attempts that failed.
    pub failed_tasks: i64,
    /// Executors that were added, the driver left out.
    pub executors: i32,
}
