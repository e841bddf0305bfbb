//! Facts about stage attempts.

use std::collections::BTreeSet;

use super::tasks::{EndKind, News, TaskFacts};
use crate::domain::{
    event::{StageInfo, StageSubmitted, TaskEnd, stage::Accumulable, task::TaskInfo},
    model::{AccumulatorUpdate, MetricSums, PeakMetrics},
};

/// One stage attempt.
#[derive(Debug, Default)]
pub(super) struct StageFacts {
    /// The latest description: a stage's end knows more than its submission, which knows more than
    /// its job's start.
    info: Option<(Source, Info)>,
    /// Jobs that named it at their start.
    pub(super) named_by: BTreeSet<i32>,
    pub(super) submission: Option<Submission>,
    pub(super) is_completed: bool,
    pub(super) tasks: TaskFacts,
    pub(super) sums: MetricSums,
    pub(super) peaks: Option<PeakMetrics>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    JobStart,
    Submitted,
    Completed,
}

/// What only the submission tells.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) pool: Option<String>,
    pub(super) description: Option<String>,
}

/// A stage's own description.
#[derive(Debug, Default)]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) details: String,
    pub(super) task_count: i32,
    pub(super) rdd_ids: Vec<i32>,
    pub(super) submission_time: Option<i64>,
    pub(super) completion_time: Option<i64>,
    pub(super) failure_reason: Option<String>,
    pub(super) accumulators: Vec<AccumulatorUpdate>,
    pub(super) resource_profile_id: i32,
    pub(super) shuffle_push_enabled: bool,
    pub(super) shuffle_mergers_count: i32,
}

impl StageFacts {
    /// A job's start names it.
    pub(super) fn named(&mut self, job_id: i32, info: &StageInfo<'_>) {
        self.named_by.insert(job_id);
        self.describe(Source::JobStart, info);
    }

    /// Whether that was news.
    pub(super) fn submitted(&mut self, event: &StageSubmitted<'_>) -> bool {
        let is_news = self.submission.is_none();
        self.describe(Source::Submitted, &event.info);
        self.submission.get_or_insert_with(|| {
            let properties = event.properties.as_ref();
            let pool = properties.and_then(|properties| properties.pool.as_deref());
            let description = properties.and_then(|properties| properties.description.as_deref());
            Submission {
                pool: pool.map(str::to_owned),
                description: description.map(str::to_owned),
            }
        });
        is_news
    }

    /// Whether that was news.
    pub(super) fn completed(&mut self, info: &StageInfo<'_>) -> bool {
        self.describe(Source::Completed, info);
        !std::mem::replace(&mut self.is_completed, true)
    }

    fn describe(&mut self, source: Source, info: &StageInfo<'_>) {
        if self.info.as_ref().is_none_or(|(known, _)| *known < source) {
            self.info = Some((source, Info::of(info)));
        }
    }

    pub(super) fn info(&self) -> Option<&Info> {
        self.info.as_ref().map(|(_, info)| info)
    }

    /// When it was submitted, or, of one that found its output there, when that was noticed.
    pub(super) fn time(&self) -> Option<i64> {
        self.info()
            .and_then(|info| info.submission_time.or(info.completion_time))
    }

    pub(super) fn task_start(&mut self, info: &TaskInfo<'_>) -> News {
        self.tasks.start(info.task_id, info.launch_time)
    }

    pub(super) fn task_end(&mut self, event: &TaskEnd<'_>) -> News {
        let news = self.tasks.end(event);
        if news.end.is_some_and(|end| end != EndKind::Resubmitted)
            && let Some(metrics) = &event.metrics
        {
            self.sums.add(metrics);
        }
        if let Some(peaks) = &event.peaks {
            self.raise_peaks(peaks);
        }
        news
    }

    pub(super) fn raise_peaks(&mut self, peaks: &PeakMetrics) {
        if peaks.is_set() {
            self.peaks.get_or_insert(*peaks).raise_to(peaks);
        }
    }

    /// Whether anything of it ran, or was to run.
    pub(super) fn is_begun(&self) -> bool {
        self.submission.is_some() || self.is_completed || !self.tasks.is_empty()
    }
}

impl Info {
    fn of(info: &StageInfo<'_>) -> Self {
        Self {
            name: info.name.to_string(),
            details: info.details.to_string(),
            task_count: info.task_count,
            rdd_ids: info.rdds.iter().map(|rdd| rdd.id).collect(),
            submission_time: info.submission_time,
            completion_time: info.completion_time,
            failure_reason: info.failure_reason.as_deref().map(str::to_owned),
            accumulators: accumulators(&info.accumulables),
            resource_profile_id: info.resource_profile_id,
            shuffle_push_enabled: info.shuffle_push_enabled,
            shuffle_mergers_count: info.shuffle_mergers_count,
        }
    }
}

/// Those that users made, by number.
fn accumulators(all: &[Accumulable<'_>]) -> Vec<AccumulatorUpdate> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let users = all
        .iter()
        .filter(|one| !one.internal && one.metadata.as_deref() != Some("sql"));
    let mut users: Vec<_> = users
        .map(|one| AccumulatorUpdate {
            id: one.id,
            name: one.name.as_deref().map(str::to_owned),
            update: one.update.as_ref().map(text),
            value: one.value.as_ref().map(text),
        })
        .collect();
    users.sort_by_key(|one| one.id);
    users
}
