//! From the catalogue to messages.

use std::time::Duration;

use jiff::Timestamp;
use moka_proto::history::v1 as proto;
use moka_rpc::timestamp;

use crate::{
    domain::model::{Application, Executor, Job, JobStatus, SparkTime, Stage, StageStatus},
    store::AttemptRecord,
};

pub(super) fn application(record: &AttemptRecord) -> proto::ApplicationHistory {
    let summary = &record.summary;
    let application = &summary.application;
    let counts = application.counts;
    proto::ApplicationHistory {
        application_id: record.key.application_id.to_string(),
        attempt_number: i32::try_from(record.key.attempt_number).unwrap_or(i32::MAX),
        spark_application_id: record.spark_application_id.clone(),
        name: application.name.clone(),
        user: application.user.clone(),
        spark_version: application.spark_version.clone(),
        start_time: time(application.start_time),
        end_time: time(application.end_time),
        completed: summary.is_completed,
        incomplete_log: summary.is_incomplete,
        counts: Some(proto::Counts {
            jobs: counts.jobs,
            succeeded_jobs: counts.succeeded_jobs,
            failed_jobs: counts.failed_jobs,
            stages: counts.stages,
            completed_stages: counts.completed_stages,
            failed_stages: counts.failed_stages,
            skipped_stages: counts.skipped_stages,
            tasks: counts.tasks,
            failed_tasks: counts.failed_tasks,
            executors: counts.executors,
        }),
        event_count: i64::try_from(summary.event_count).unwrap_or(i64::MAX),
        event_bytes: i64::try_from(summary.event_bytes).unwrap_or(i64::MAX),
    }
}

pub(super) fn job(job: Job) -> proto::Job {
    let status = match job.status {
        JobStatus::Running => proto::JobStatus::Running,
        JobStatus::Succeeded => proto::JobStatus::Succeeded,
        JobStatus::Failed => proto::JobStatus::Failed,
        JobStatus::Unknown => proto::JobStatus::Unknown,
    };
    proto::Job {
        job_id: job.job_id,
        name: job.name,
        status: status.into(),
        submit_time: time(job.submission_time),
        complete_time: time(job.completion_time),
        stage_ids: job.stage_ids,
        tasks: job.num_tasks,
        completed_tasks: job.num_completed_tasks,
        failed_tasks: job.num_failed_tasks,
        skipped_tasks: job.num_skipped_tasks,
        completed_stages: job.num_completed_stages,
        failed_stages: job.num_failed_stages,
        skipped_stages: job.num_skipped_stages,
        failure: job.failure.unwrap_or_default(),
    }
}

pub(super) fn stage(stage: Stage) -> proto::Stage {
    let status = match stage.status {
        StageStatus::Active => proto::StageStatus::Active,
        StageStatus::Complete => proto::StageStatus::Complete,
        StageStatus::Failed => proto::StageStatus::Failed,
        StageStatus::Pending => proto::StageStatus::Pending,
        StageStatus::Skipped => proto::StageStatus::Skipped,
    };
    let sums = stage.sums;
    proto::Stage {
        stage_id: stage.stage_id,
        attempt: stage.attempt_id,
        name: stage.name,
        status: status.into(),
        tasks: stage.num_tasks,
        completed_tasks: stage.num_complete_tasks,
        failed_tasks: stage.num_failed_tasks,
        killed_tasks: stage.num_killed_tasks,
        submit_time: time(stage.submission_time),
        complete_time: time(stage.completion_time),
        executor_run_time: milliseconds(sums.executor_run_time),
        executor_cpu_time: duration(Duration::from_nanos(positive(sums.executor_cpu_time))),
        input_bytes: sums.input_bytes,
        input_records: sums.input_records,
        output_bytes: sums.output_bytes,
        output_records: sums.output_records,
        shuffle_read_bytes: sums.shuffle_read_bytes,
        shuffle_write_bytes: sums.shuffle_write_bytes,
        memory_spilled_bytes: sums.memory_bytes_spilled,
        disk_spilled_bytes: sums.disk_bytes_spilled,
        failure: stage.failure_reason.unwrap_or_default(),
    }
}

pub(super) fn executor(executor: Executor) -> proto::Executor {
    proto::Executor {
        executor_id: executor.id,
        host_port: executor.host_port,
        active: executor.is_active,
        total_cores: executor.total_cores,
        completed_tasks: executor.completed_tasks,
        failed_tasks: executor.failed_tasks,
        total_task_time: milliseconds(executor.total_duration),
        total_gc_time: milliseconds(executor.total_gc_time),
        total_input_bytes: executor.total_input_bytes,
        total_shuffle_read_bytes: executor.total_shuffle_read,
        total_shuffle_write_bytes: executor.total_shuffle_write,
        maximum_memory_bytes: executor.max_memory,
        add_time: time(Some(executor.add_time)),
        remove_time: time(executor.remove_time),
        remove_reason: executor.remove_reason.unwrap_or_default(),
    }
}

/// The executor as it is at `now`: a driver's time is that of its application, which may still run.
pub(super) fn at(executor: Executor, application: &Application, now: Timestamp) -> Executor {
    let running_since = application
        .start_time
        .filter(|_| application.end_time.is_none());
    match running_since {
        Some(start) if executor.id == Executor::DRIVER => {
            let total_duration = now.as_millisecond().saturating_sub(start.0);
            Executor {
                total_duration,
                ..executor
            }
        }
        _ => executor,
    }
}

fn time(time: Option<SparkTime>) -> Option<prost_types::Timestamp> {
    time.map(|time| timestamp::to_proto(time.timestamp()))
}

fn milliseconds(milliseconds: i64) -> Option<prost_types::Duration> {
    duration(Duration::from_millis(positive(milliseconds)))
}

fn duration(duration: Duration) -> Option<prost_types::Duration> {
    timestamp::duration_to_proto(duration).ok()
}

/// Sums of damaged logs may be negative.
fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
