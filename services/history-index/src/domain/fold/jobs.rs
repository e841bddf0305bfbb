//! Facts about jobs.

use crate::domain::event::{JobEnd, JobStart};

/// One job.
#[derive(Debug, Default)]
pub(super) struct JobFacts {
    pub(super) start: Option<Start>,
    pub(super) end: Option<End>,
}

/// What the job's start tells.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) group: Option<String>,
    pub(super) tags: Vec<String>,
    /// Milliseconds since the epoch.
    pub(super) submission_time: Option<i64>,
    pub(super) stage_ids: Vec<i32>,
    pub(super) task_count: i32,
}

/// What the job's end tells.
#[derive(Debug)]
pub(super) struct End {
    /// Milliseconds since the epoch.
    pub(super) completion_time: Option<i64>,
    pub(super) succeeded: bool,
    pub(super) failure: Option<String>,
}

impl JobFacts {
    pub(super) fn start(&mut self, event: &JobStart<'_>) {
        self.start.get_or_insert_with(|| Start::of(event));
    }

    pub(super) fn end(&mut self, event: &JobEnd<'_>) {
        self.end.get_or_insert_with(|| End {
            completion_time: Some(event.completion_time).filter(|time| *time > 0),
            succeeded: event.result.result == "JobSucceeded",
            failure: event
                .result
                .exception
                .as_ref()
                .and_then(|exception| exception.message.as_deref())
                .map(str::to_owned),
        });
    }

    /// Whether a stage attempt that was submitted at `time` was submitted for this job. Jobs that
    /// run at once can share stages; a later job that names the same stage finds its output
    /// there.
    pub(super) fn covers(&self, stage_id: i32, time: Option<i64>) -> bool {
        let Some(start) = self
            .start
            .as_ref()
            .filter(|start| start.stage_ids.contains(&stage_id))
        else {
            return false;
        };
        let Some(time) = time else { return true };
        let began = start
            .submission_time
            .is_none_or(|submission| submission <= time);
        let end = self.end.as_ref().and_then(|end| end.completion_time);
        began && end.is_none_or(|end| time <= end)
    }
}

impl Start {
    fn of(event: &JobStart<'_>) -> Self {
        let properties = event.properties.as_ref();
        let last_stage = event.stage_infos.iter().max_by_key(|info| info.stage_id);
        let missing = event
            .stage_infos
            .iter()
            .filter(|info| info.completion_time.is_none());
        let mut tags: Vec<_> = properties
            .and_then(|properties| properties.job_tags.as_deref())
            .map(|tags| {
                tags.split(',')
                    .filter(|tag| !tag.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default();
        tags.sort_unstable();
        tags.dedup();
        let text = |value: Option<&str>| value.map(str::to_owned);
        Self {
            name: last_stage
                .map(|info| info.name.to_string())
                .unwrap_or_default(),
            description: text(properties.and_then(|properties| properties.description.as_deref())),
            group: text(properties.and_then(|properties| properties.job_group.as_deref())),
            tags,
            submission_time: Some(event.submission_time).filter(|time| *time > 0),
            stage_ids: event.stage_ids.clone(),
            task_count: missing.fold(0, |sum: i32, info| sum.saturating_add(info.task_count)),
        }
    }
}
