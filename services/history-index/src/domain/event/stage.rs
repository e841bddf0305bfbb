//! Events about stage attempts.

use std::borrow::Cow;

use serde::Deserialize;

use super::job::Properties;

/// A stage attempt as it stands when an event is written.
#[derive(Debug, Deserialize)]
pub struct StageInfo<'a> {
    /// Spark's number.
    #[serde(rename = "Stage ID")]
    pub stage_id: i32,
    /// From 0.
    #[serde(default, rename = "Stage Attempt ID")]
    pub attempt: i32,
    /// The call and its line.
    #[serde(borrow, rename = "Stage Name")]
    pub name: Cow<'a, str>,
    /// How many tasks it has.
    #[serde(rename = "Number of Tasks")]
    pub task_count: i32,
    /// Its RDDs.
    #[serde(default, rename = "RDD Info")]
    pub rdds: Vec<RddInfo>,
    /// The call's stack.
    #[serde(borrow, default, rename = "Details")]
    pub details: Cow<'a, str>,
    /// Milliseconds since the epoch.
    #[serde(default, rename = "Submission Time")]
    pub submission_time: Option<i64>,
    /// Milliseconds since the epoch.
    #[serde(default, rename = "Completion Time")]
    pub completion_time: Option<i64>,
    /// Why it failed.
    #[serde(borrow, default, rename = "Failure Reason")]
    pub failure_reason: Option<Cow<'a, str>>,
    /// Values of accumulators.
    #[serde(borrow, default, rename = "Accumulables")]
    pub accumulables: Vec<Accumulable<'a>>,
    /// The profile of its executors.
    #[serde(default, rename = "Resource Profile Id")]
    pub resource_profile_id: i32,
    /// Whether push-based shuffle is on.
    #[serde(default, rename = "Shuffle Push Enabled")]
    pub shuffle_push_enabled: bool,
    /// How many merge services it has.
    #[serde(default, rename = "Shuffle Push Mergers Count")]
    pub shuffle_mergers_count: i32,
}

/// An RDD of a stage.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct RddInfo {
    /// Its number.
    #[serde(rename = "RDD ID")]
    pub id: i32,
}

/// The value of an accumulator.
#[derive(Debug, Deserialize)]
pub struct Accumulable<'a> {
    /// Its number.
    #[serde(rename = "ID")]
    pub id: i64,
    /// Its name.
    #[serde(borrow, default, rename = "Name")]
    pub name: Option<Cow<'a, str>>,
    /// Its last change.
    #[serde(default, rename = "Update")]
    pub update: Option<serde_json::Value>,
    /// Its value.
    #[serde(default, rename = "Value")]
    pub value: Option<serde_json::Value>,
    /// Whether Spark made it for itself.
    #[serde(default, rename = "Internal")]
    pub internal: bool,
    /// `sql` for the metrics of a query plan.
    #[serde(borrow, default, rename = "Metadata")]
    pub metadata: Option<Cow<'a, str>>,
}

/// `SparkListenerStageSubmitted`.
#[derive(Debug, Deserialize)]
pub struct StageSubmitted<'a> {
    /// The attempt.
    #[serde(borrow, rename = "Stage Info")]
    pub info: StageInfo<'a>,
    /// Local properties of the thread that submitted the job.
    #[serde(borrow, default, rename = "Properties")]
    pub properties: Option<Properties<'a>>,
}

/// `SparkListenerStageCompleted`.
#[derive(Debug, Deserialize)]
pub struct StageCompleted<'a> {
    /// The attempt.
    #[serde(borrow, rename = "Stage Info")]
    pub info: StageInfo<'a>,
}
