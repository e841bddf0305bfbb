//! One job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SparkTime;

/// What `/applications/<id>/jobs/<job>` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the REST API"
)]
pub struct Job {
    /// Spark's number, from 0.
    pub job_id: i32,
    /// Name of its last stage.
    pub name: String,
    /// What a user calls the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_time: Option<SparkTime>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<SparkTime>,
    /// Its stages.
    pub stage_ids: Vec<i32>,
    /// The group that can be cancelled at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_group: Option<String>,
    /// Its tags, sorted.
    pub job_tags: Vec<String>,
    /// Where it stands.
    pub status: JobStatus,
    /// Tasks of its stages that had no output at its start.
    pub num_tasks: i32,
    /// Task attempts that run.
    pub num_active_tasks: i32,
    /// Task attempts that succeeded.
    pub num_completed_tasks: i32,
    /// Tasks of its skipped stages.
    pub num_skipped_tasks: i32,
    /// Task attempts that failed.
    pub num_failed_tasks: i32,
    /// Task attempts that were killed.
    pub num_killed_tasks: i32,
    /// Tasks of which some attempt succeeded.
    pub num_completed_indices: i32,
    /// Stage attempts that run.
    pub num_active_stages: i32,
    /// Stages that completed.
    pub num_completed_stages: i32,
    /// Stages that were skipped.
    pub num_skipped_stages: i32,
    /// Stage attempts that failed.
    pub num_failed_stages: i32,
    /// Killed task attempts by reason.
    pub killed_tasks_summary: BTreeMap<String, i32>,
    /// Why it failed, which the History Server does not tell.
    #[serde(skip)]
    pub failure: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// No end was seen.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// Only its end was seen.
    Unknown,
}
