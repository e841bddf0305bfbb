//! From a log's facts to the rows that changed.

use super::event_log::{EventLog, Reading, Version};
use crate::{
    domain::fold::Snapshot,
    error::Error,
    store::{AttemptRecord, LogState, LogUpdate, Saved, Store},
};

/// Remembers what the catalogue has, so that only changes are written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    saved: Option<(LogState, Version, Snapshot)>,
    replaces_all: bool,
}

impl Writer {
    /// The next write drops what was written before.
    pub(super) fn replace_all(&mut self) {
        self.saved = None;
        self.replaces_all = true;
    }

    /// Writes what changed and says whether anything had.
    pub(super) async fn write(
        &mut self,
        store: &Store,
        record: &AttemptRecord,
        log: &EventLog,
        reading: &Reading,
    ) -> Result<bool, Error> {
        if reading.state == LogState::Waiting
            || (reading.state == LogState::Refused && record.log_problem == reading.problem)
        {
            return Ok(false);
        }
        let version = log.version();
        let is_saved =
            |(state, saved, _): &(_, Version, _)| *state == reading.state && *saved == version;
        if self.saved.as_ref().is_some_and(is_saved) {
            return Ok(false);
        }
        let snapshot = log.snapshot();
        let summary = log.summary(&snapshot);
        let empty = (Vec::new(), Vec::new(), Vec::new());
        let (jobs, stages, executors) = self
            .saved
            .as_ref()
            .map_or((&empty.0, &empty.1, &empty.2), |(_, _, saved)| {
                (&saved.jobs, &saved.stages, &saved.executors)
            });
        let update = LogUpdate {
            log_state: reading.state,
            log_problem: &reading.problem,
            summary: &summary,
            jobs: &changed(jobs, &snapshot.jobs, |job| job.job_id),
            stages: &changed(stages, &snapshot.stages, |stage| {
                (stage.stage_id, stage.attempt_id)
            }),
            executors: &changed(executors, &snapshot.executors, |executor| {
                executor.id.clone()
            }),
            replaces_all: self.replaces_all,
        };
        let saved = store
            .save(record.key, &update)
            .await
            .map_err(Error::Store)?;
        if saved == Saved::Done {
            self.saved = Some((reading.state, version, snapshot));
            self.replaces_all = false;
        }
        Ok(saved == Saved::Done)
    }
}

/// Those of `new` that are not in `old`, which is sorted by key.
fn changed<'a, T: PartialEq, K: Ord>(old: &[T], new: &'a [T], key: impl Fn(&T) -> K) -> Vec<&'a T> {
    let is_known = |item: &T| {
        old.binary_search_by_key(&key(item), &key)
            .is_ok_and(|place| old[place] == *item)
    };
    new.iter().filter(|item| !is_known(item)).collect()
}
