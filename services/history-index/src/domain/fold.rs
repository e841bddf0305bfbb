//! Facts of one application attempt, from its events in any order and any number of times.
//!
//! Every fact has a key that Spark gives it: the job, (stage, attempt), (stage, attempt, task), the
//! executor, (executor, block). The first statement of a fact counts and a repetition changes
//! nothing, so a chunk that is read twice does no harm. Spark History Server, in contrast, adds up
//! whatever it reads. Memory grows with the number of facts, a few bytes a task, and not with the
//! bytes of the log.

mod application;
mod blocks;
mod executors;
mod indices;
mod job_view;
mod jobs;
mod stage_view;
mod stages;
mod tasks;

use std::collections::BTreeMap;

use self::{
    application::ApplicationFacts,
    blocks::{Surroundings, Undecided},
    executors::ExecutorFacts,
    jobs::JobFacts,
    stages::StageFacts,
};
use super::{
    event::{Event, TaskEnd, TaskStart, executor::BlockInfo},
    model::{Application, Counts, Executor, Job, JobStatus, Stage, StageStatus},
};

/// Announcements of blocks that are kept until they can be judged.
const MOST_UNDECIDED: usize = 10_000;

/// A stage and its attempt.
pub type StageKey = (i32, i32);

/// Everything known of one application attempt.
#[derive(Debug, Default)]
pub struct Fold {
    application: ApplicationFacts,
    /// CPUs that a task needs, by resource profile.
    task_cpus: BTreeMap<i32, i32>,
    jobs: BTreeMap<i32, JobFacts>,
    stages: BTreeMap<StageKey, StageFacts>,
    executors: BTreeMap<String, ExecutorFacts>,
    surroundings: Surroundings,
    /// Announcements of blocks before the first stage or task event of the present chunk.
    undecided: Vec<BlockInfo<'static>>,
}

/// The state that the facts add up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The application as a whole.
    pub application: Application,
    /// By number.
    pub jobs: Vec<Job>,
    /// By number and attempt.
    pub stages: Vec<Stage>,
    /// By name, the driver included.
    pub executors: Vec<Executor>,
}

impl Fold {
    /// Says that another chunk begins, which may be one that was read before.
    pub fn begin_chunk(&mut self) {
        self.surroundings = Surroundings::NotSeen;
        self.undecided.clear();
    }

    /// Adds what one event tells.
    pub fn apply(&mut self, event: &Event<'_>) {
        match event {
            Event::LogStart(event) => self.application.log_start(event),
            Event::ApplicationStart(event) => self.application.start(event),
            Event::ApplicationEnd(event) => self.application.end(*event),
            Event::ResourceProfileAdded(event) => {
                if let Some(cpus) = event.task_resources.get("cpus") {
                    #[expect(clippy::cast_possible_truncation, reason = "Spark truncates it too")]
                    self.task_cpus.insert(event.id, cpus.amount as i32);
                }
            }
            Event::ExecutorAdded(event) => self.executor(&event.executor_id).added(event),
            Event::ExecutorRemoved(event) => self.executor(&event.executor_id).removed(event),
            Event::BlockManagerAdded(event) => {
                self.executor(&event.id.executor_id)
                    .block_manager_added(event);
            }
            Event::BlockUpdated(event) => {
                self.block_updated(&event.info);
            }
            Event::UnpersistRdd(event) => {
                for executor in self.executors.values_mut() {
                    executor.blocks.unpersist(event.rdd_id);
                }
            }
            Event::ExecutorExclusion(event) => self.executor(&event.executor_id).excluded(event),
            Event::StageExclusion(event) => self
                .executor(&event.executor_id)
                .excluded_for_stage((event.stage_id, event.stage_attempt)),
            Event::JobStart(event) => {
                self.jobs.entry(event.job_id).or_default().start(event);
                for info in &event.stage_infos {
                    self.stage((info.stage_id, info.attempt))
                        .named(event.job_id, info);
                }
            }
            Event::JobEnd(event) => self.jobs.entry(event.job_id).or_default().end(event),
            Event::StageSubmitted(event) => {
                let key = (event.info.stage_id, event.info.attempt);
                let is_news = self.stage(key).submitted(event);
                self.surrounded_by(is_news);
            }
            Event::StageCompleted(event) => {
                let key = (event.info.stage_id, event.info.attempt);
                let is_news = self.stage(key).completed(&event.info);
                self.surrounded_by(is_news);
            }
            Event::TaskStart(event) => self.task_start(event),
            Event::TaskEnd(event) => self.task_end(event),
            Event::ExecutorMetricsUpdate(event) => {
                for update in &event.updates {
                    self.peaks(&event.executor_id, update);
                }
            }
            Event::StageExecutorMetrics(event) => self.peaks(&event.executor_id, &event.stage),
            Event::Ignored | Event::Unknown => {}
        }
    }

    fn stage(&mut self, key: StageKey) -> &mut StageFacts {
        self.stages.entry(key).or_default()
    }

    fn executor(&mut self, id: &str) -> &mut ExecutorFacts {
        if !self.executors.contains_key(id) {
            self.executors
                .insert(id.to_owned(), ExecutorFacts::default());
        }
        self.executors
            .get_mut(id)
            .expect("it was inserted if it was not there")
    }

    fn block_updated(&mut self, info: &BlockInfo<'_>) {
        let surroundings = self.surroundings;
        let executor = self.executor(&info.block_manager_id.executor_id);
        let Undecided(is_undecided) = executor.blocks.update(info, surroundings);
        if is_undecided && self.undecided.len() < MOST_UNDECIDED {
            self.undecided.push(info.to_static());
        }
    }

    fn surrounded_by(&mut self, is_news: bool) {
        self.surroundings = if is_news {
            Surroundings::New
        } else {
            Surroundings::Known
        };
        for info in std::mem::take(&mut self.undecided) {
            self.block_updated(&info);
        }
    }

    fn task_start(&mut self, event: &TaskStart<'_>) {
        let news = self
            .stage((event.stage_id, event.stage_attempt))
            .task_start(&event.info);
        self.surrounded_by(news.is_first_telling);
        self.executor(&event.info.executor_id)
            .tasks
            .record_start(news);
    }

    fn task_end(&mut self, event: &TaskEnd<'_>) {
        let news = self
            .stage((event.stage_id, event.stage_attempt))
            .task_end(event);
        self.surrounded_by(news.is_first_telling);
        let executor = self.executor(&event.info.executor_id);
        executor.tasks.record_end(news, event);
        if let Some(peaks) = &event.peaks {
            executor.raise_peaks(peaks);
        }
    }

    fn peaks(&mut self, executor_id: &str, update: &super::event::executor::StagePeaks) {
        self.executor(executor_id).raise_peaks(&update.peaks);
        let key = (update.stage_id, update.stage_attempt);
        // Updates outside of any stage name the stage -1.
        if let Some(stage) = self.stages.get_mut(&key) {
            stage.raise_peaks(&update.peaks);
        }
    }

    /// What the facts add up to now.
    pub fn snapshot(&self) -> Snapshot {
        let stages: Vec<_> = self
            .stages
            .iter()
            .map(|(key, facts)| stage_view::stage(*key, facts, &self.jobs))
            .collect();
        let jobs: Vec<_> = self
            .jobs
            .iter()
            .map(|(id, facts)| job_view::job(*id, facts, &self.stages, &self.jobs))
            .collect();
        let executors: Vec<_> = self
            .executors
            .iter()
            .filter_map(|(id, facts)| {
                facts.view(id, &self.task_cpus, &self.application, &self.stages)
            })
            .collect();
        let counts = self.counts(&jobs, &stages, &executors);
        Snapshot {
            application: self.application.view(counts),
            jobs,
            stages,
            executors,
        }
    }

    fn counts(&self, jobs: &[Job], stages: &[Stage], executors: &[Executor]) -> Counts {
        let jobs_in = |status| count(jobs.iter().filter(|job| job.status == status).count());
        let stages_in =
            |status| count(stages.iter().filter(|stage| stage.status == status).count());
        Counts {
            jobs: count(jobs.len()),
            succeeded_jobs: jobs_in(JobStatus::Succeeded),
            failed_jobs: jobs_in(JobStatus::Failed),
            stages: count(stages.len()),
            completed_stages: stages_in(StageStatus::Complete),
            failed_stages: stages_in(StageStatus::Failed),
            skipped_stages: stages_in(StageStatus::Skipped),
            tasks: self
                .stages
                .values()
                .map(|stage| i64::from(stage.tasks.ended()))
                .sum(),
            failed_tasks: self
                .stages
                .values()
                .map(|stage| i64::from(stage.tasks.failed))
                .sum(),
            executors: count(
                executors
                    .iter()
                    .filter(|e| e.id != Executor::DRIVER)
                    .count(),
            ),
        }
    }
}

/// A number of things as Spark counts them.
fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
