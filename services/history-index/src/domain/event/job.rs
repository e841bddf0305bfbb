//! Events about jobs.

use std::borrow::Cow;

use serde::Deserialize;

use super::stage::StageInfo;

/// `SparkListenerJobStart`.
#[derive(Debug, Deserialize)]
pub struct JobStart<'a> {
    /// Spark's number.
    #[serde(rename = "Job ID")]
    pub job_id: i32,
    /// Milliseconds since the epoch; absent from old logs.
    #[serde(default, rename = "Submission Time")]
    pub submission_time: i64,
    /// Its stages as they stand.
    #[serde(borrow, default, rename = "Stage Infos")]
    pub stage_infos: Vec<StageInfo<'a>>,
    /// Its stages' numbers.
    #[serde(rename = "Stage IDs")]
    pub stage_ids: Vec<i32>,
    /// Local properties of the thread that submitted it.
    #[serde(borrow, default, rename = "Properties")]
    pub properties: Option<Properties<'a>>,
}

/// The local properties that are served.
#[derive(Debug, Default, Deserialize)]
pub struct Properties<'a> {
    /// What a user calls the work.
    #[serde(borrow, default, rename = "spark.job.description")]
    pub description: Option<Cow<'a, str>>,
    /// The group that can be cancelled at once.
    #[serde(borrow, default, rename = "spark.jobGroup.id")]
    pub job_group: Option<Cow<'a, str>>,
    /// Tags, separated by commas.
    #[serde(borrow, default, rename = "spark.job.tags")]
    pub job_tags: Option<Cow<'a, str>>,
    /// The fair scheduler's pool.
    #[serde(borrow, default, rename = "spark.scheduler.pool")]
    pub pool: Option<Cow<'a, str>>,
}

/// `SparkListenerJobEnd`.
#[derive(Debug, Deserialize)]
pub struct JobEnd<'a> {
    /// Spark's number.
    #[serde(rename = "Job ID")]
    pub job_id: i32,
    /// Milliseconds since the epoch; absent from old logs.
    #[serde(default, rename = "Completion Time")]
    pub completion_time: i64,
    /// How it ended.
    #[serde(borrow, rename = "Job Result")]
    pub result: JobResult<'a>,
}

/// How a job ended.
#[derive(Debug, Deserialize)]
pub struct JobResult<'a> {
    /// `JobSucceeded` or `JobFailed`.
    #[serde(borrow, rename = "Result")]
    pub result: Cow<'a, str>,
    /// Why it failed.
    #[serde(borrow, default, rename = "Exception")]
    pub exception: Option<JobException<'a>>,
}

/// Why a job failed.
#[derive(Debug, Deserialize)]
pub struct JobException<'a> {
    /// The message, often with the first task's stack trace.
    #[serde(borrow, default, rename = "Message")]
    pub message: Option<Cow<'a, str>>,
}
