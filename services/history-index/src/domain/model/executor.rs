//! One executor, or the driver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PeakMetrics, SparkTime};

/// What `/applications/<id>/allexecutors` answers for one executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the REST API"
)]
pub struct Executor {
    /// `driver`, or a number.
    pub id: String,
    /// Host and port; the host alone while its block manager has not registered.
    pub host_port: String,
    /// Whether its removal was not seen.
    pub is_active: bool,
    /// Cached partitions of RDDs.
    pub rdd_blocks: i32,
    /// Bytes of its blocks in memory, when the log tells of blocks.
    pub memory_used: i64,
    /// Bytes of its blocks on disk, likewise.
    pub disk_used: i64,
    /// Cores for tasks.
    pub total_cores: i32,
    /// Tasks that it can run at once.
    pub max_tasks: i32,
    /// Task attempts that run.
    pub active_tasks: i32,
    /// Task attempts that failed.
    pub failed_tasks: i32,
    /// Task attempts that succeeded.
    pub completed_tasks: i32,
    /// Task attempts that it was given.
    pub total_tasks: i32,
    /// Milliseconds of its task attempts; of the driver, the application's own time.
    pub total_duration: i64,
    /// Milliseconds of garbage collection during its tasks; of the driver, since its start.
    #[serde(rename = "totalGCTime")]
    pub total_gc_time: i64,
    /// Bytes that its tasks read from sources.
    pub total_input_bytes: i64,
    /// Bytes that its tasks read from shuffles.
    pub total_shuffle_read: i64,
    /// Bytes that its tasks wrote to shuffles.
    pub total_shuffle_write: i64,
    /// The old name of `is_excluded`.
    pub is_blacklisted: bool,
    /// Memory for storage, in bytes.
    pub max_memory: i64,
    /// When it was added.
    pub add_time: SparkTime,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_time: Option<SparkTime>,
    /// Why it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_reason: Option<String>,
    /// Where its logs are.
    pub executor_logs: BTreeMap<String, String>,
    /// Its memory for storage, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_metrics: Option<MemoryMetrics>,
    /// The old name of `excluded_in_stages`.
    pub blacklisted_in_stages: Vec<i32>,
    /// Peaks of its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_metrics: Option<PeakMetrics>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its custom resources.
    pub resources: BTreeMap<String, serde_json::Value>,
    /// The profile that it was made for.
    pub resource_profile_id: i32,
    /// Whether nothing is scheduled on it.
    pub is_excluded: bool,
    /// Stages that are not scheduled on it.
    pub excluded_in_stages: Vec<i32>,
}

impl Executor {
    /// Spark's name of the driver.
    pub const DRIVER: &'static str = "driver";
}

/// Memory for storage, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the REST API"
)]
pub struct MemoryMetrics {
    /// In use on the heap.
    pub used_on_heap_storage_memory: i64,
    /// In use off the heap.
    pub used_off_heap_storage_memory: i64,
    /// All on the heap.
    pub total_on_heap_storage_memory: i64,
    /// All off the heap.
    pub total_off_heap_storage_memory: i64,
}
