//! From a job's facts, and those of its stages, to what is served of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    StageKey,
    indices::Indices,
    jobs::{JobFacts, Start},
    stage_view::{skipped_by, status},
    stages::StageFacts,
};
use crate::domain::model::{Job, JobStatus, SparkTime, StageStatus};

type Stages = BTreeMap<StageKey, StageFacts>;
type Jobs = BTreeMap<i32, JobFacts>;

pub(super) fn job(job_id: i32, facts: &JobFacts, stages: &Stages, jobs: &Jobs) -> Job {
    let unknown = Start {
        name: String::new(),
        description: None,
        group: None,
        tags: Vec::new(),
        submission_time: None,
        stage_ids: Vec::new(),
        task_count: 0,
    };
    let start = facts.start.as_ref().unwrap_or(&unknown);
    let tally = Tally::of(job_id, facts, start, stages, jobs);
    Job {
        job_id,
        name: start.name.clone(),
        description: start.description.clone(),
        submission_time: start.submission_time.map(SparkTime),
        completion_time: facts
            .end
            .as_ref()
            .and_then(|end| end.completion_time)
            .map(SparkTime),
        stage_ids: start.stage_ids.clone(),
        job_group: start.group.clone(),
        job_tags: start.tags.clone(),
        status: job_status(facts),
        num_tasks: start.task_count,
        num_active_tasks: tally.active_tasks,
        num_completed_tasks: tally.completed_tasks,
        num_skipped_tasks: tally.skipped_tasks,
        num_failed_tasks: tally.failed_tasks,
        num_killed_tasks: tally.killed_tasks,
        num_completed_indices: tally.completed_indices,
        num_active_stages: tally.active_stages,
        num_completed_stages: tally.completed_stages,
        num_skipped_stages: tally.skipped_stages,
        num_failed_stages: tally.failed_stages,
        killed_tasks_summary: tally.killed_by_reason,
        failure: facts.end.as_ref().and_then(|end| end.failure.clone()),
    }
}

fn job_status(facts: &JobFacts) -> JobStatus {
    match (&facts.start, &facts.end) {
        (_, Some(end)) if end.succeeded => JobStatus::Succeeded,
        (_, Some(_)) => JobStatus::Failed,
        (Some(_), None) => JobStatus::Running,
        (None, None) => JobStatus::Unknown,
    }
}

/// Sums over the stage attempts that ran for one job.
#[derive(Default)]
struct Tally {
    active_tasks: i32,
    completed_tasks: i32,
    skipped_tasks: i32,
    failed_tasks: i32,
    killed_tasks: i32,
    completed_indices: i32,
    active_stages: i32,
    completed_stages: i32,
    skipped_stages: i32,
    failed_stages: i32,
    killed_by_reason: BTreeMap<String, i32>,
}

impl Tally {
    fn of(job_id: i32, facts: &JobFacts, start: &Start, stages: &Stages, jobs: &Jobs) -> Self {
        let mut tally = Self::default();
        for stage_id in start.stage_ids.iter().collect::<BTreeSet<_>>() {
            let attempts = stages.range((*stage_id, i32::MIN)..=(*stage_id, i32::MAX));
            let mut last_status = None;
            let mut indices = Indices::default();
            let mut is_skipped = false;
            for (_, stage) in attempts {
                let stage_status = status(stage, jobs);
                let is_part = if stage.is_begun() {
                    facts.covers(*stage_id, stage.time())
                } else {
                    skipped_by(stage, jobs) == Some(job_id)
                };
                if !is_part {
                    continue;
                }
                if stage_status == StageStatus::Skipped {
                    is_skipped = true;
                    tally.skipped_tasks += stage.info().map_or(0, |info| info.task_count);
                }
                if stage.is_begun() {
                    tally.add_attempt(stage, stage_status);
                    indices.add_all(&stage.tasks.completed_indices);
                    last_status = Some(stage_status);
                }
            }
            tally.completed_indices += indices.len();
            // A stage that is attempted again is not complete any more.
            tally.completed_stages += i32::from(last_status == Some(StageStatus::Complete));
            tally.skipped_stages += i32::from(is_skipped);
        }
        tally
    }

    fn add_attempt(&mut self, stage: &StageFacts, status: StageStatus) {
        let tasks = &stage.tasks;
        self.active_tasks += tasks.active;
        self.completed_tasks += tasks.completed;
        self.failed_tasks += tasks.failed;
        self.killed_tasks += tasks.killed;
        for (reason, number) in &tasks.killed_by_reason {
            *self.killed_by_reason.entry(reason.clone()).or_default() += number;
        }
        match status {
            StageStatus::Active => self.active_stages += 1,
            StageStatus::Failed => self.failed_stages += 1,
            StageStatus::Complete | StageStatus::Pending | StageStatus::Skipped => {}
        }
    }
}
