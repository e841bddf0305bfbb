//! From a stage attempt's facts to what is served of it.

use std::collections::BTreeMap;

use super::{
    StageKey,
    jobs::JobFacts,
    stages::{Info, StageFacts},
};
use crate::domain::model::{SparkTime, Stage, StageStatus};

const DEFAULT_POOL: &str = "default";

pub(super) fn stage(key: StageKey, facts: &StageFacts, jobs: &BTreeMap<i32, JobFacts>) -> Stage {
    let unknown = Info::default();
    let info = facts.info().unwrap_or(&unknown);
    let tasks = &facts.tasks;
    let submission = facts.submission.as_ref();
    Stage {
        status: status(facts, jobs),
        stage_id: key.0,
        attempt_id: key.1,
        num_tasks: info.task_count,
        num_active_tasks: tasks.active,
        num_complete_tasks: tasks.completed,
        num_failed_tasks: tasks.failed,
        num_killed_tasks: tasks.killed,
        num_completed_indices: tasks.completed_indices.len(),
        submission_time: info.submission_time.map(SparkTime),
        first_task_launched_time: tasks.first_launch_time.map(SparkTime),
        completion_time: info.completion_time.map(SparkTime),
        failure_reason: info.failure_reason.clone(),
        sums: facts.sums,
        name: info.name.clone(),
        description: submission.and_then(|submission| submission.description.clone()),
        details: info.details.clone(),
        scheduling_pool: submission
            .and_then(|submission| submission.pool.clone())
            .unwrap_or_else(|| DEFAULT_POOL.to_owned()),
        rdd_ids: info.rdd_ids.clone(),
        accumulator_updates: info.accumulators.clone(),
        killed_tasks_summary: tasks.killed_by_reason.clone(),
        resource_profile_id: info.resource_profile_id,
        peak_executor_metrics: facts.peaks,
        is_shuffle_push_enabled: info.shuffle_push_enabled,
        shuffle_mergers_count: info.shuffle_mergers_count,
    }
}

/// A stage that was named and never begun is skipped as soon as one of the jobs that named it has
/// ended.
pub(super) fn status(facts: &StageFacts, jobs: &BTreeMap<i32, JobFacts>) -> StageStatus {
    let info = facts.info();
    if facts.is_completed {
        return match info {
            Some(info) if info.failure_reason.is_some() => StageStatus::Failed,
            Some(info) if info.submission_time.is_none() => StageStatus::Skipped,
            _ => StageStatus::Complete,
        };
    }
    if facts.is_begun() {
        return StageStatus::Active;
    }
    match skipped_by(facts, jobs) {
        Some(_) => StageStatus::Skipped,
        None => StageStatus::Pending,
    }
}

/// The job whose end made it a skipped one: the first that ended.
pub(super) fn skipped_by(facts: &StageFacts, jobs: &BTreeMap<i32, JobFacts>) -> Option<i32> {
    let ended = facts
        .named_by
        .iter()
        .filter_map(|id| Some((jobs.get(id)?.end.as_ref()?, *id)));
    ended
        .min_by_key(|(end, id)| (end.completion_time, *id))
        .map(|(_, id)| id)
}
