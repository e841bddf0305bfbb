//! Events about executors, their memory and their blocks.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

use crate::domain::model::PeakMetrics;

/// `SparkListenerResourceProfileAdded`.
#[derive(Debug, Deserialize)]
pub struct ResourceProfileAdded {
    /// The profile's number; 0 is the default one.
    #[serde(rename = "Resource Profile Id")]
    pub id: i32,
    /// What a task needs, by resource.
    #[serde(default, rename = "Task Resource Requests")]
    pub task_resources: BTreeMap<String, TaskResourceRequest>,
}

/// An amount of one resource.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct TaskResourceRequest {
    /// How much; may be a fraction.
    #[serde(rename = "Amount")]
    pub amount: f64,
}

/// `SparkListenerExecutorAdded`.
#[derive(Debug, Deserialize)]
pub struct ExecutorAdded<'a> {
    /// Milliseconds since the epoch.
    #[serde(rename = "Timestamp")]
    pub time: i64,
    /// `driver`, or a number.
    #[serde(borrow, rename = "Executor ID")]
    pub executor_id: Cow<'a, str>,
    /// What it offers.
    #[serde(borrow, rename = "Executor Info")]
    pub info: ExecutorInfo<'a>,
}

/// What an executor offers.
#[derive(Debug, Deserialize)]
pub struct ExecutorInfo<'a> {
    /// Its host.
    #[serde(borrow, rename = "Host")]
    pub host: Cow<'a, str>,
    /// Cores for tasks.
    #[serde(rename = "Total Cores")]
    pub total_cores: i32,
    /// Where its logs are.
    #[serde(default, rename = "Log Urls")]
    pub log_urls: BTreeMap<String, String>,
    /// Its attributes.
    #[serde(default, rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
    /// Its custom resources, as Spark writes them.
    #[serde(default, rename = "Resources")]
    pub resources: BTreeMap<String, serde_json::Value>,
    /// The profile it was made for.
    #[serde(default, rename = "Resource Profile Id")]
    pub resource_profile_id: i32,
}

/// `SparkListenerExecutorRemoved`.
#[derive(Debug, Deserialize)]
pub struct ExecutorRemoved<'a> {
    /// Milliseconds since the epoch.
    #[serde(rename = "Timestamp")]
    pub time: i64,
    /// Which one.
    #[serde(borrow, rename = "Executor ID")]
    pub executor_id: Cow<'a, str>,
    /// Why, in Spark's words.
    #[serde(borrow, default, rename = "Removed Reason")]
    pub reason: Cow<'a, str>,
}

/// Names a block manager.
#[derive(Debug, Deserialize)]
pub struct BlockManagerId<'a> {
    /// The executor that it is part of.
    #[serde(borrow, rename = "Executor ID")]
    pub executor_id: Cow<'a, str>,
    /// Its host.
    #[serde(borrow, rename = "Host")]
    pub host: Cow<'a, str>,
    /// Its port.
    #[serde(rename = "Port")]
    pub port: i32,
}

/// `SparkListenerBlockManagerAdded`.
#[derive(Debug, Deserialize)]
pub struct BlockManagerAdded<'a> {
    /// Which one.
    #[serde(borrow, rename = "Block Manager ID")]
    pub id: BlockManagerId<'a>,
    /// Memory for storage, in bytes.
    #[serde(rename = "Maximum Memory")]
    pub maximum_memory_bytes: i64,
    /// Milliseconds since the epoch.
    #[serde(rename = "Timestamp")]
    pub time: i64,
    /// Of it, on the heap.
    #[serde(default, rename = "Maximum Onheap Memory")]
    pub on_heap_bytes: Option<i64>,
    /// Of it, off the heap.
    #[serde(default, rename = "Maximum Offheap Memory")]
    pub off_heap_bytes: Option<i64>,
}

/// `SparkListenerBlockUpdated`.
#[derive(Debug, Deserialize)]
pub struct BlockUpdated<'a> {
    /// The block and where it is.
    #[serde(borrow, rename = "Block Updated Info")]
    pub info: BlockInfo<'a>,
}

/// A block's place and size.
#[derive(Debug, Deserialize)]
pub struct BlockInfo<'a> {
    /// Who has it.
    #[serde(borrow, rename = "Block Manager ID")]
    pub block_manager_id: BlockManagerId<'a>,
    /// `rdd_<id>_<partition>`, `broadcast_…` and others.
    #[serde(borrow, rename = "Block ID")]
    pub block_id: Cow<'a, str>,
    /// Where it is kept; nowhere after its removal.
    #[serde(rename = "Storage Level")]
    pub storage_level: StorageLevel,
    /// In memory; what left memory when the level says that it is not there.
    #[serde(rename = "Memory Size")]
    pub memory_bytes: i64,
    /// On disk, likewise.
    #[serde(rename = "Disk Size")]
    pub disk_bytes: i64,
}

impl BlockInfo<'_> {
    /// A copy that outlives its line.
    pub(crate) fn to_static(&self) -> BlockInfo<'static> {
        let id = &self.block_manager_id;
        BlockInfo {
            block_manager_id: BlockManagerId {
                executor_id: Cow::Owned(id.executor_id.to_string()),
                host: Cow::Owned(id.host.to_string()),
                port: id.port,
            },
            block_id: Cow::Owned(self.block_id.to_string()),
            storage_level: self.storage_level,
            memory_bytes: self.memory_bytes,
            disk_bytes: self.disk_bytes,
        }
    }
}

/// Where a block is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct StorageLevel {
    /// On disk.
    #[serde(rename = "Use Disk")]
    pub use_disk: bool,
    /// In memory.
    #[serde(rename = "Use Memory")]
    pub use_memory: bool,
    /// In memory off the heap.
    #[serde(default, rename = "Use Off Heap")]
    pub use_off_heap: bool,
}

/// `SparkListenerUnpersistRDD`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct UnpersistRdd {
    /// Which one.
    #[serde(rename = "RDD ID")]
    pub rdd_id: i32,
}

/// `SparkListenerExecutorExcluded` and its kin.
#[derive(Debug, Deserialize)]
pub struct ExecutorExclusion<'a> {
    /// Milliseconds since the epoch.
    #[serde(rename = "time")]
    pub time: i64,
    /// Which one.
    #[serde(borrow, rename = "executorId")]
    pub executor_id: Cow<'a, str>,
    /// Whether it is excluded from now on; the event's name says so.
    #[serde(skip)]
    pub excluded: bool,
}

/// `SparkListenerExecutorExcludedForStage`.
#[derive(Debug, Deserialize)]
pub struct StageExclusion<'a> {
    /// Which executor.
    #[serde(borrow, rename = "executorId")]
    pub executor_id: Cow<'a, str>,
    /// Which stage.
    #[serde(rename = "stageId")]
    pub stage_id: i32,
    /// Which attempt of it.
    #[serde(rename = "stageAttemptId")]
    pub stage_attempt: i32,
}

/// `SparkListenerExecutorMetricsUpdate`, which logs have of the driver only.
#[derive(Debug, Deserialize)]
pub struct ExecutorMetricsUpdate<'a> {
    /// Whose.
    #[serde(borrow, rename = "Executor ID")]
    pub executor_id: Cow<'a, str>,
    /// Peaks since the last one, by stage.
    #[serde(default, rename = "Executor Metrics Updated")]
    pub updates: Vec<StagePeaks>,
}

/// Peaks during a stage attempt, or outside of any (-1).
#[derive(Debug, Deserialize)]
pub struct StagePeaks {
    /// Which stage.
    #[serde(rename = "Stage ID")]
    pub stage_id: i32,
    /// Which attempt.
    #[serde(rename = "Stage Attempt ID")]
    pub stage_attempt: i32,
    /// The peaks.
    #[serde(rename = "Executor Metrics")]
    pub peaks: PeakMetrics,
}

/// `SparkListenerStageExecutorMetrics`.
#[derive(Debug, Deserialize)]
pub struct StageExecutorMetrics<'a> {
    /// Whose.
    #[serde(borrow, rename = "Executor ID")]
    pub executor_id: Cow<'a, str>,
    /// The stage attempt and the peaks during it.
    #[serde(flatten)]
    pub stage: StagePeaks,
}
