//! One stage attempt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MetricSums, PeakMetrics, SparkTime};

/// What `/applications/<id>/stages/<stage>/<attempt>?details=false` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the REST API"
)]
pub struct Stage {
    /// Where it stands.
    pub status: StageStatus,
    /// Spark's number, from 0.
    pub stage_id: i32,
    /// From 0.
    pub attempt_id: i32,
    /// Tasks that it has.
    pub num_tasks: i32,
    /// Task attempts that run.
    pub num_active_tasks: i32,
    /// Task attempts that succeeded.
    pub num_complete_tasks: i32,
    /// Task attempts that failed.
    pub num_failed_tasks: i32,
    /// Task attempts that were killed.
    pub num_killed_tasks: i32,
    /// Tasks of which some attempt succeeded.
    pub num_completed_indices: i32,
    /// When it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_time: Option<SparkTime>,
    /// When its first task was launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_task_launched_time: Option<SparkTime>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<SparkTime>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Sums over its task attempts.
    #[serde(flatten)]
    pub sums: MetricSums,
    /// The call and its line.
    pub name: String,
    /// What a user calls the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The call's stack.
    pub details: String,
    /// The fair scheduler's pool.
    pub scheduling_pool: String,
    /// Its RDDs.
    pub rdd_ids: Vec<i32>,
    /// Values of accumulators that are not Spark's own, by number.
    pub accumulator_updates: Vec<AccumulatorUpdate>,
    /// Killed task attempts by reason.
    pub killed_tasks_summary: BTreeMap<String, i32>,
    /// The profile of its executors.
    pub resource_profile_id: i32,
    /// Peaks of executors while they ran its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_executor_metrics: Option<PeakMetrics>,
    /// Whether push-based shuffle is on.
    pub is_shuffle_push_enabled: bool,
    /// How many merge services it has.
    pub shuffle_mergers_count: i32,
}

/// Where a stage attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StageStatus {
    /// It runs.
    Active,
    /// It completed.
    Complete,
    /// It failed.
    Failed,
    /// A job that has not ended names it, and it has not been submitted.
    Pending,
    /// A job that named it ended without it.
    Skipped,
}

/// The value of an accumulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccumulatorUpdate {
    /// Its number.
    pub id: i64,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
