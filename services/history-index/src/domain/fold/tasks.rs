//! Facts about task attempts.

use std::collections::{BTreeMap, HashMap};

use super::indices::Indices;
use crate::domain::event::{TaskEnd, task::TaskEndReason};

const STARTED: u8 = 1;
const ENDED: u8 = 2;
const RESUBMITTED: u8 = 4;

/// What an event told of a task attempt that was not known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    /// The event itself was unknown.
    pub(super) is_first_telling: bool,
    /// The attempt was unknown.
    pub(super) is_new_attempt: bool,
    /// By how much the number of running attempts changes.
    pub(super) active_change: i32,
    /// The end that was not known yet.
    pub(super) end: Option<EndKind>,
}

/// How Spark counts an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndKind {
    Completed,
    Failed,
    Killed,
    /// The output of an attempt that had succeeded was lost; it counts as failed on top.
    Resubmitted,
}

impl EndKind {
    pub(super) fn of(reason: &TaskEndReason<'_>) -> Self {
        match &*reason.reason {
            "Success" => Self::Completed,
            "TaskKilled" | "TaskCommitDenied" => Self::Killed,
            "Resubmitted" => Self::Resubmitted,
            _ => Self::Failed,
        }
    }
}

/// The task attempts of one stage attempt.
#[derive(Debug, Default)]
pub(super) struct TaskFacts {
    seen: HashMap<i64, u8>,
    pub(super) active: i32,
    pub(super) completed: i32,
    pub(super) failed: i32,
    pub(super) killed: i32,
    pub(super) killed_by_reason: BTreeMap<String, i32>,
    pub(super) completed_indices: Indices,
    /// Milliseconds since the epoch.
    pub(super) first_launch_time: Option<i64>,
}

impl TaskFacts {
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Attempts that ended.
    pub(super) fn ended(&self) -> i32 {
        self.completed + self.failed + self.killed
    }

    pub(super) fn start(&mut self, task_id: i64, launch_time: i64) -> News {
        let state = self.seen.entry(task_id).or_default();
        let before = *state;
        *state |= STARTED;
        self.launched(launch_time);
        let starts_running = before & (STARTED | ENDED) == 0;
        self.active += i32::from(starts_running);
        News {
            is_first_telling: before & STARTED == 0,
            is_new_attempt: before == 0,
            active_change: i32::from(starts_running),
            end: None,
        }
    }

    pub(super) fn end(&mut self, event: &TaskEnd<'_>) -> News {
        let kind = EndKind::of(&event.reason);
        let state = self.seen.entry(event.info.task_id).or_default();
        let before = *state;
        let bit = if kind == EndKind::Resubmitted {
            RESUBMITTED
        } else {
            ENDED
        };
        *state |= bit;
        self.launched(event.info.launch_time);
        if before & bit != 0 {
            return News::default();
        }
        let was_running = bit == ENDED && before & STARTED != 0;
        self.active -= i32::from(was_running);
        match kind {
            EndKind::Completed => {
                self.completed += 1;
                self.completed_indices.insert(event.info.index);
            }
            EndKind::Failed | EndKind::Resubmitted => self.failed += 1,
            EndKind::Killed => {
                self.killed += 1;
                *self
                    .killed_by_reason
                    .entry(kill_reason(&event.reason))
                    .or_default() += 1;
            }
        }
        News {
            is_first_telling: true,
            is_new_attempt: before == 0,
            active_change: -i32::from(was_running),
            end: Some(kind),
        }
    }

    fn launched(&mut self, time: i64) {
        let first = self.first_launch_time.get_or_insert(time);
        *first = time.min(*first);
    }
}

/// As Spark words it.
fn kill_reason(reason: &TaskEndReason<'_>) -> String {
    match &reason.kill_reason {
        Some(reason) => reason.to_string(),
        None if reason.reason == "TaskCommitDenied" => format!(
            "TaskCommitDenied (Driver denied task commit) for job: {}, partition: {}, attemptNumber: {}",
            reason.job_id, reason.partition_id, reason.attempt_number
        ),
        None => "unknown reason".to_owned(),
    }
}
