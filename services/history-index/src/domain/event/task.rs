//! Events about task attempts: nearly all bytes of a large log.

use std::borrow::Cow;

use serde::Deserialize;

use crate::domain::model::PeakMetrics;

/// `SparkListenerTaskStart`.
#[derive(Debug, Deserialize)]
pub struct TaskStart<'a> {
    /// The stage.
    #[serde(rename = "Stage ID")]
    pub stage_id: i32,
    /// Its attempt.
    #[serde(default, rename = "Stage Attempt ID")]
    pub stage_attempt: i32,
    /// The task attempt.
    #[serde(borrow, rename = "Task Info")]
    pub info: TaskInfo<'a>,
}

/// `SparkListenerTaskEnd`.
#[derive(Debug, Deserialize)]
pub struct TaskEnd<'a> {
    /// The stage.
    #[serde(rename = "Stage ID")]
    pub stage_id: i32,
    /// Its attempt.
    #[serde(default, rename = "Stage Attempt ID")]
    pub stage_attempt: i32,
    /// How it ended.
    #[serde(borrow, rename = "Task End Reason")]
    pub reason: TaskEndReason<'a>,
    /// The task attempt.
    #[serde(borrow, rename = "Task Info")]
    pub info: TaskInfo<'a>,
    /// Peaks of its executor while it ran.
    #[serde(default, rename = "Task Executor Metrics")]
    pub peaks: Option<PeakMetrics>,
    /// What it did; absent when the executor was lost.
    #[serde(default, rename = "Task Metrics")]
    pub metrics: Option<TaskMetrics>,
}

/// A task attempt.
#[derive(Debug, Deserialize)]
pub struct TaskInfo<'a> {
    /// Unique within the application.
    #[serde(rename = "Task ID")]
    pub task_id: i64,
    /// Its place within the stage.
    #[serde(rename = "Index")]
    pub index: i32,
    /// Milliseconds since the epoch.
    #[serde(rename = "Launch Time")]
    pub launch_time: i64,
    /// Where it runs.
    #[serde(borrow, rename = "Executor ID")]
    pub executor_id: Cow<'a, str>,
    /// Milliseconds since the epoch; 0 while it runs.
    #[serde(default, rename = "Finish Time")]
    pub finish_time: i64,
}

/// How a task attempt ended.
#[derive(Debug, Deserialize)]
pub struct TaskEndReason<'a> {
    /// `Success`, `ExceptionFailure`, `TaskKilled` and so on.
    #[serde(borrow, rename = "Reason")]
    pub reason: Cow<'a, str>,
    /// Why it was killed.
    #[serde(borrow, default, rename = "Kill Reason")]
    pub kill_reason: Option<Cow<'a, str>>,
    /// Of a denied commit.
    #[serde(default, rename = "Job ID")]
    pub job_id: i32,
    /// Of a denied commit.
    #[serde(default, rename = "Partition ID")]
    pub partition_id: i32,
    /// Of a denied commit.
    #[serde(default, rename = "Attempt Number")]
    pub attempt_number: i32,
}

/// What a task attempt did. Old logs lack some of it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct TaskMetrics {
    #[serde(rename = "Executor Deserialize Time")]
    pub(crate) executor_deserialize_time: i64,
    #[serde(rename = "Executor Deserialize CPU Time")]
    pub(crate) executor_deserialize_cpu_time: i64,
    #[serde(rename = "Executor Run Time")]
    pub(crate) executor_run_time: i64,
    #[serde(rename = "Executor CPU Time")]
    pub(crate) executor_cpu_time: i64,
    #[serde(rename = "Peak Execution Memory")]
    pub(crate) peak_execution_memory: i64,
    #[serde(rename = "Result Size")]
    pub(crate) result_size: i64,
    #[serde(rename = "JVM GC Time")]
    pub(crate) jvm_gc_time: i64,
    #[serde(rename = "Result Serialization Time")]
    pub(crate) result_serialization_time: i64,
    #[serde(rename = "Memory Bytes Spilled")]
    pub(crate) memory_bytes_spilled: i64,
    #[serde(rename = "Disk Bytes Spilled")]
    pub(crate) disk_bytes_spilled: i64,
    #[serde(rename = "Shuffle Read Metrics")]
    pub(crate) shuffle_read: ShuffleReadMetrics,
    #[serde(rename = "Shuffle Write Metrics")]
    pub(crate) shuffle_write: ShuffleWriteMetrics,
    #[serde(rename = "Input Metrics")]
    pub(crate) input: InputMetrics,
    #[serde(rename = "Output Metrics")]
    pub(crate) output: OutputMetrics,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShuffleReadMetrics {
    #[serde(rename = "Remote Blocks Fetched")]
    pub(crate) remote_blocks_fetched: i64,
    #[serde(rename = "Local Blocks Fetched")]
    pub(crate) local_blocks_fetched: i64,
    #[serde(rename = "Fetch Wait Time")]
    pub(crate) fetch_wait_time: i64,
    #[serde(rename = "Remote Bytes Read")]
    pub(crate) remote_bytes_read: i64,
    #[serde(rename = "Remote Bytes Read To Disk")]
    pub(crate) remote_bytes_read_to_disk: i64,
    #[serde(rename = "Local Bytes Read")]
    pub(crate) local_bytes_read: i64,
    #[serde(rename = "Total Records Read")]
    pub(crate) records_read: i64,
    #[serde(rename = "Remote Requests Duration")]
    pub(crate) remote_requests_duration: i64,
    #[serde(rename = "Push Based Shuffle")]
    pub(crate) push_based: PushBasedShuffleMetrics,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PushBasedShuffleMetrics {
    #[serde(rename = "Corrupt Merged Block Chunks")]
    pub(crate) corrupt_merged_block_chunks: i64,
    #[serde(rename = "Merged Fetch Fallback Count")]
    pub(crate) merged_fetch_fallback_count: i64,
    #[serde(rename = "Merged Remote Blocks Fetched")]
    pub(crate) merged_remote_blocks_fetched: i64,
    #[serde(rename = "Merged Local Blocks Fetched")]
    pub(crate) merged_local_blocks_fetched: i64,
    #[serde(rename = "Merged Remote Chunks Fetched")]
    pub(crate) merged_remote_chunks_fetched: i64,
    #[serde(rename = "Merged Local Chunks Fetched")]
    pub(crate) merged_local_chunks_fetched: i64,
    #[serde(rename = "Merged Remote Bytes Read")]
    pub(crate) merged_remote_bytes_read: i64,
    #[serde(rename = "Merged Local Bytes Read")]
    pub(crate) merged_local_bytes_read: i64,
    #[serde(rename = "Merged Remote Requests Duration")]
    pub(crate) merged_remote_requests_duration: i64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShuffleWriteMetrics {
    #[serde(rename = "Shuffle Bytes Written")]
    pub(crate) bytes_written: i64,
    #[serde(rename = "Shuffle Write Time")]
    pub(crate) write_time: i64,
    #[serde(rename = "Shuffle Records Written")]
    pub(crate) records_written: i64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InputMetrics {
    #[serde(rename = "Bytes Read")]
    pub(crate) bytes_read: i64,
    #[serde(rename = "Records Read")]
    pub(crate) records_read: i64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OutputMetrics {
    #[serde(rename = "Bytes Written")]
    pub(crate) bytes_written: i64,
    #[serde(rename = "Records Written")]
    pub(crate) records_written: i64,
}
