//! Facts about executors and the driver.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    StageKey,
    application::ApplicationFacts,
    blocks::BlockFacts,
    stages::StageFacts,
    tasks::{EndKind, News},
};
use crate::domain::{
    event::{BlockManagerAdded, ExecutorAdded, ExecutorExclusion, ExecutorRemoved, TaskEnd},
    model::{Executor, MemoryMetrics, PeakMetrics, SparkTime},
};

/// One executor.
#[derive(Debug, Default)]
pub(super) struct ExecutorFacts {
    added: Option<Added>,
    block_manager: Option<BlockManager>,
    removed: Option<Removed>,
    /// When it was last excluded or included, and which.
    exclusion: Option<(i64, bool)>,
    excluded_in_stages: BTreeSet<StageKey>,
    pub(super) tasks: ExecutorTasks,
    pub(super) blocks: BlockFacts,
    peaks: Option<PeakMetrics>,
}

#[derive(Debug)]
struct Added {
    time: i64,
    host: String,
    total_cores: i32,
    log_urls: BTreeMap<String, String>,
    attributes: BTreeMap<String, String>,
    resources: BTreeMap<String, serde_json::Value>,
    resource_profile_id: i32,
}

#[derive(Debug)]
struct BlockManager {
    time: i64,
    host_port: String,
    maximum_memory_bytes: i64,
    /// On and off the heap; old logs do not tell.
    by_kind: Option<(i64, i64)>,
}

#[derive(Debug)]
struct Removed {
    time: i64,
    reason: String,
}

/// Sums over the task attempts that it was given.
#[derive(Debug, Default)]
pub(super) struct ExecutorTasks {
    total: i32,
    active: i32,
    completed: i32,
    failed: i32,
    duration_milliseconds: i64,
    gc_milliseconds: i64,
    input_bytes: i64,
    shuffle_read_bytes: i64,
    shuffle_write_bytes: i64,
}

impl ExecutorTasks {
    pub(super) fn record_start(&mut self, news: News) {
        self.total += i32::from(news.is_new_attempt);
        self.active += news.active_change;
    }

    pub(super) fn record_end(&mut self, news: News, event: &TaskEnd<'_>) {
        self.total += i32::from(news.is_new_attempt);
        self.active += news.active_change;
        let Some(end) = news.end else { return };
        match end {
            EndKind::Completed => self.completed += 1,
            EndKind::Failed | EndKind::Resubmitted => self.failed += 1,
            EndKind::Killed => {}
        }
        let info = &event.info;
        let duration = info.finish_time.saturating_sub(info.launch_time).max(0);
        self.duration_milliseconds = self.duration_milliseconds.saturating_add(duration);
        if let (Some(metrics), false) = (&event.metrics, end == EndKind::Resubmitted) {
            let read = &metrics.shuffle_read;
            for (sum, value) in [
                (&mut self.gc_milliseconds, metrics.jvm_gc_time),
                (&mut self.input_bytes, metrics.input.bytes_read),
                (
                    &mut self.shuffle_read_bytes,
                    read.local_bytes_read.saturating_add(read.remote_bytes_read),
                ),
                (
                    &mut self.shuffle_write_bytes,
                    metrics.shuffle_write.bytes_written,
                ),
            ] {
                *sum = sum.saturating_add(value);
            }
        }
    }
}

impl ExecutorFacts {
    pub(super) fn added(&mut self, event: &ExecutorAdded<'_>) {
        let info = &event.info;
        self.added.get_or_insert_with(|| Added {
            time: event.time,
            host: info.host.to_string(),
            total_cores: info.total_cores,
            log_urls: info.log_urls.clone(),
            attributes: info.attributes.clone(),
            resources: info.resources.clone(),
            resource_profile_id: info.resource_profile_id,
        });
    }

    pub(super) fn removed(&mut self, event: &ExecutorRemoved<'_>) {
        self.removed.get_or_insert_with(|| Removed {
            time: event.time,
            reason: event.reason.to_string(),
        });
    }

    pub(super) fn block_manager_added(&mut self, event: &BlockManagerAdded<'_>) {
        self.block_manager.get_or_insert_with(|| BlockManager {
            time: event.time,
            host_port: format!("{}:{}", event.id.host, event.id.port),
            maximum_memory_bytes: event.maximum_memory_bytes,
            by_kind: event.on_heap_bytes.zip(event.off_heap_bytes),
        });
    }

    pub(super) fn excluded(&mut self, event: &ExecutorExclusion<'_>) {
        if self.exclusion.is_none_or(|(time, _)| time <= event.time) {
            self.exclusion = Some((event.time, event.excluded));
        }
    }

    pub(super) fn excluded_for_stage(&mut self, stage: StageKey) {
        self.excluded_in_stages.insert(stage);
    }

    pub(super) fn raise_peaks(&mut self, peaks: &PeakMetrics) {
        if peaks.is_set() {
            self.peaks.get_or_insert(*peaks).raise_to(peaks);
        }
    }

    /// `None` for one that is only mentioned: its registration is missing from the log.
    pub(super) fn view(
        &self,
        id: &str,
        task_cpus: &BTreeMap<i32, i32>,
        application: &ApplicationFacts,
        stages: &BTreeMap<StageKey, StageFacts>,
    ) -> Option<Executor> {
        let (added, block_manager) = (self.added.as_ref(), self.block_manager.as_ref());
        let add_time = added
            .map(|added| added.time)
            .into_iter()
            .chain(block_manager.map(|b| b.time))
            .min()?;
        let is_driver = id == Executor::DRIVER;
        let driver = application.driver_links().filter(|_| is_driver);
        let total_cores = added.map_or(0, |added| added.total_cores);
        let profile = added.map_or(0, |added| added.resource_profile_id);
        let cpus = task_cpus.get(&profile).copied().unwrap_or(1);
        let excluded = self.exclusion.is_some_and(|(_, excluded)| excluded);
        let excluded_in_stages = self.excluded_in_stages(stages);
        let blocks = &self.blocks;
        let gc_of_driver = self
            .peaks
            .filter(|_| is_driver)
            .map(|peaks| peaks.total_gc_time());
        let tasks = &self.tasks;
        Some(Executor {
            id: id.to_owned(),
            host_port: block_manager
                .map(|block_manager| block_manager.host_port.clone())
                .or_else(|| added.map(|added| added.host.clone()))
                .unwrap_or_default(),
            is_active: self.removed.is_none(),
            rdd_blocks: blocks.rdd_block_count(),
            memory_used: blocks.memory_bytes,
            disk_used: blocks.disk_bytes,
            total_cores,
            max_tasks: total_cores.checked_div(cpus).unwrap_or(0),
            active_tasks: tasks.active,
            failed_tasks: tasks.failed,
            completed_tasks: tasks.completed,
            total_tasks: tasks.total,
            total_duration: if is_driver {
                application.duration().unwrap_or(0)
            } else {
                tasks.duration_milliseconds
            },
            total_gc_time: gc_of_driver.unwrap_or(tasks.gc_milliseconds),
            total_input_bytes: tasks.input_bytes,
            total_shuffle_read: tasks.shuffle_read_bytes,
            total_shuffle_write: tasks.shuffle_write_bytes,
            is_blacklisted: excluded,
            max_memory: block_manager.map_or(0, |block_manager| block_manager.maximum_memory_bytes),
            add_time: SparkTime(add_time),
            remove_time: self.removed.as_ref().map(|removed| SparkTime(removed.time)),
            remove_reason: self.removed.as_ref().map(|removed| removed.reason.clone()),
            executor_logs: match driver {
                Some(driver) => driver.logs.clone(),
                None => added
                    .map(|added| added.log_urls.clone())
                    .unwrap_or_default(),
            },
            memory_metrics: block_manager
                .and_then(|block_manager| block_manager.by_kind)
                .map(|(on_heap, off_heap)| MemoryMetrics {
                    used_on_heap_storage_memory: blocks.on_heap_bytes,
                    used_off_heap_storage_memory: blocks.off_heap_bytes,
                    total_on_heap_storage_memory: on_heap,
                    total_off_heap_storage_memory: off_heap,
                }),
            blacklisted_in_stages: excluded_in_stages.clone(),
            peak_memory_metrics: self.peaks,
            attributes: match driver {
                Some(driver) => driver.attributes.clone(),
                None => added
                    .map(|added| added.attributes.clone())
                    .unwrap_or_default(),
            },
            resources: added
                .map(|added| added.resources.clone())
                .unwrap_or_default(),
            resource_profile_id: profile,
            is_excluded: excluded,
            excluded_in_stages,
        })
    }

    /// The exclusion from a stage ends with the stage.
    fn excluded_in_stages(&self, stages: &BTreeMap<StageKey, StageFacts>) -> Vec<i32> {
        let is_open = |key: &&StageKey| stages.get(key).is_some_and(|stage| !stage.is_completed);
        let open: BTreeSet<_> = self
            .excluded_in_stages
            .iter()
            .filter(is_open)
            .map(|(stage_id, _)| *stage_id)
            .collect();
        open.into_iter().collect()
    }
}
