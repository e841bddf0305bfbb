//! The figures of runs.

use std::collections::BTreeMap;

use serde::Serialize;

/// What runs did and met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Runs.
    pub runs: u64,
    /// Lines that were written into log files, torn last ones included.
    pub lines_written: u64,
    /// Records in the raw objects.
    pub records_in_objects: u64,
    /// Records that the raw objects hold more than once.
    pub records_repeated: u64,
    /// Raw objects.
    pub objects: u64,
    /// Requests to the store, whatever became of them.
    pub requests: u64,
    /// How often each thing happened.
    pub events: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Counts something that happened.
    pub(crate) fn count(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self {
            runs,
            lines_written,
            records_in_objects,
            records_repeated,
            objects,
            requests,
            events,
        } = other;
        self.runs += runs;
        self.lines_written += lines_written;
        self.records_in_objects += records_in_objects;
        self.records_repeated += records_repeated;
        self.objects += objects;
        self.requests += requests;
        for (event, count) in events {
            *self.events.entry(event).or_default() += count;
        }
        self
    }
}
