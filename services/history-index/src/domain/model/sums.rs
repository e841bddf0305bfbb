//! Metrics of tasks, summed.

use serde::{Deserialize, Serialize};

use crate::domain::event::task::{PushBasedShuffleMetrics, ShuffleReadMetrics, TaskMetrics};

/// Sums over task attempts, failed ones included. Times are milliseconds, but CPU and shuffle write
/// times, which are nanoseconds; that is how Spark has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricSums {
    /// Milliseconds.
    pub executor_deserialize_time: i64,
    /// Nanoseconds.
    pub executor_deserialize_cpu_time: i64,
    /// Milliseconds.
    pub executor_run_time: i64,
    /// Nanoseconds.
    pub executor_cpu_time: i64,
    /// Bytes sent to the driver.
    pub result_size: i64,
    /// Milliseconds.
    pub jvm_gc_time: i64,
    /// Milliseconds.
    pub result_serialization_time: i64,
    /// Bytes.
    pub memory_bytes_spilled: i64,
    /// Bytes.
    pub disk_bytes_spilled: i64,
    /// Bytes; a sum of peaks, as Spark has it.
    pub peak_execution_memory: i64,
    /// Bytes read from sources.
    pub input_bytes: i64,
    /// Records read from sources.
    pub input_records: i64,
    /// Bytes written to sinks.
    pub output_bytes: i64,
    /// Records written to sinks.
    pub output_records: i64,
    /// Blocks of other executors.
    pub shuffle_remote_blocks_fetched: i64,
    /// Blocks of the same executor.
    pub shuffle_local_blocks_fetched: i64,
    /// Milliseconds.
    pub shuffle_fetch_wait_time: i64,
    /// Bytes.
    pub shuffle_remote_bytes_read: i64,
    /// Bytes.
    pub shuffle_remote_bytes_read_to_disk: i64,
    /// Bytes.
    pub shuffle_local_bytes_read: i64,
    /// Bytes, local and remote.
    pub shuffle_read_bytes: i64,
    /// Records.
    pub shuffle_read_records: i64,
    /// Chunks.
    pub shuffle_corrupt_merged_block_chunks: i64,
    /// Times.
    pub shuffle_merged_fetch_fallback_count: i64,
    /// Blocks.
    pub shuffle_merged_remote_blocks_fetched: i64,
    /// Blocks.
    pub shuffle_merged_local_blocks_fetched: i64,
    /// Chunks.
    pub shuffle_merged_remote_chunks_fetched: i64,
    /// Chunks.
    pub shuffle_merged_local_chunks_fetched: i64,
    /// Bytes.
    pub shuffle_merged_remote_bytes_read: i64,
    /// Bytes.
    pub shuffle_merged_local_bytes_read: i64,
    /// Milliseconds.
    pub shuffle_remote_reqs_duration: i64,
    /// Milliseconds.
    pub shuffle_merged_remote_reqs_duration: i64,
    /// Bytes.
    pub shuffle_write_bytes: i64,
    /// Nanoseconds.
    pub shuffle_write_time: i64,
    /// Records.
    pub shuffle_write_records: i64,
}

impl MetricSums {
    /// Adds what one task attempt did. A log with absurd numbers stops at the largest one.
    pub fn add(&mut self, task: &TaskMetrics) {
        add_each([
            (
                &mut self.executor_deserialize_time,
                task.executor_deserialize_time,
            ),
            (
                &mut self.executor_deserialize_cpu_time,
                task.executor_deserialize_cpu_time,
            ),
            (&mut self.executor_run_time, task.executor_run_time),
            (&mut self.executor_cpu_time, task.executor_cpu_time),
            (&mut self.result_size, task.result_size),
            (&mut self.jvm_gc_time, task.jvm_gc_time),
            (
                &mut self.result_serialization_time,
                task.result_serialization_time,
            ),
            (&mut self.memory_bytes_spilled, task.memory_bytes_spilled),
            (&mut self.disk_bytes_spilled, task.disk_bytes_spilled),
            (&mut self.peak_execution_memory, task.peak_execution_memory),
            (&mut self.input_bytes, task.input.bytes_read),
            (&mut self.input_records, task.input.records_read),
            (&mut self.output_bytes, task.output.bytes_written),
            (&mut self.output_records, task.output.records_written),
            (
                &mut self.shuffle_write_bytes,
                task.shuffle_write.bytes_written,
            ),
            (&mut self.shuffle_write_time, task.shuffle_write.write_time),
            (
                &mut self.shuffle_write_records,
                task.shuffle_write.records_written,
            ),
        ]);
        self.add_shuffle_read(&task.shuffle_read);
        self.add_push_based(&task.shuffle_read.push_based);
    }

    fn add_shuffle_read(&mut self, read: &ShuffleReadMetrics) {
        let read_bytes = read.remote_bytes_read.saturating_add(read.local_bytes_read);
        add_each([
            (
                &mut self.shuffle_remote_blocks_fetched,
                read.remote_blocks_fetched,
            ),
            (
                &mut self.shuffle_local_blocks_fetched,
                read.local_blocks_fetched,
            ),
            (&mut self.shuffle_fetch_wait_time, read.fetch_wait_time),
            (&mut self.shuffle_remote_bytes_read, read.remote_bytes_read),
            (
                &mut self.shuffle_remote_bytes_read_to_disk,
                read.remote_bytes_read_to_disk,
            ),
            (&mut self.shuffle_local_bytes_read, read.local_bytes_read),
            (&mut self.shuffle_read_bytes, read_bytes),
            (&mut self.shuffle_read_records, read.records_read),
            (
                &mut self.shuffle_remote_reqs_duration,
                read.remote_requests_duration,
            ),
        ]);
    }

    fn add_push_based(&mut self, push: &PushBasedShuffleMetrics) {
        add_each([
            (
                &mut self.shuffle_corrupt_merged_block_chunks,
                push.corrupt_merged_block_chunks,
            ),
            (
                &mut self.shuffle_merged_fetch_fallback_count,
                push.merged_fetch_fallback_count,
            ),
            (
                &mut self.shuffle_merged_remote_blocks_fetched,
                push.merged_remote_blocks_fetched,
            ),
            (
                &mut self.shuffle_merged_local_blocks_fetched,
                push.merged_local_blocks_fetched,
            ),
            (
                &mut self.shuffle_merged_remote_chunks_fetched,
                push.merged_remote_chunks_fetched,
            ),
            (
                &mut self.shuffle_merged_local_chunks_fetched,
                push.merged_local_chunks_fetched,
            ),
            (
                &mut self.shuffle_merged_remote_bytes_read,
                push.merged_remote_bytes_read,
            ),
            (
                &mut self.shuffle_merged_local_bytes_read,
                push.merged_local_bytes_read,
            ),
            (
                &mut self.shuffle_merged_remote_reqs_duration,
                push.merged_remote_requests_duration,
            ),
        ]);
    }
}

fn add_each<const N: usize>(pairs: [(&mut i64, i64); N]) {
    for (sum, value) in pairs {
        *sum = sum.saturating_add(value);
    }
}
