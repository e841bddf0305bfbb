//! Searching a stream in the archive: blocks first, lines only around what is found.

use std::sync::{Mutex, PoisonError};

use futures::{Stream, StreamExt, stream};
use moka_objects::ObjectKey;
use tokio::time::Instant;

use super::{index::StreamIndex, objects::RawObjects, read::OpenGaps, steps::StepReader};
use crate::{
    domain::{cursor::Cursor, hits::Collector, layout::Step, lines::PlacedLine, pattern::Pattern},
    error::Error,
};

/// Objects of one search that are in memory at once.
const SCREENED_AT_ONCE: usize = 2;

/// Why a search of a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchEnd {
    /// The page is full, or enough was looked at. The search goes on after the cursor.
    Paused(Cursor),
    /// The archive has nothing more.
    Archive,
    /// A gap that may still be filled.
    Gap,
}

/// How much a call may look at.
#[derive(Debug, Clone, Copy)]
pub struct SearchBudget {
    /// Bytes that were looked at.
    pub searched_bytes: u64,
    /// Most of them.
    pub maximum_bytes: u64,
    /// When to stop.
    pub until: Instant,
}

impl SearchBudget {
    /// Counts bytes.
    pub fn spend(&mut self, bytes: u64) {
        self.searched_bytes += bytes;
    }

    /// Whether enough was looked at.
    pub fn is_spent(&self) -> bool {
        self.searched_bytes >= self.maximum_bytes || Instant::now() >= self.until
    }
}

/// One search of a stream's archive.
#[derive(Debug)]
pub struct ArchiveSearch<'a> {
    /// What the archive has of the stream.
    pub index: &'a StreamIndex,
    /// The archive.
    pub objects: &'a RawObjects,
    /// What is looked for.
    pub pattern: &'a Pattern,
    /// Lines around a hit that have to be known before it.
    pub lines_before: usize,
    /// Which gaps end the search.
    pub open_gaps: OpenGaps,
    /// The object that was found to hold nothing last: its other runs need not be looked at.
    pub nothing_in: Mutex<Option<ObjectKey>>,
}

/// What a step may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// No hit.
    Nothing,
    /// Perhaps a hit, and so many whole lines of the segment before it.
    Candidate { lines_before: usize },
}

impl ArchiveSearch<'_> {
    /// Collects hits after the collector's cursor within the budget; gives why it ended, and before
    /// which step.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn run(
        &self,
        collector: &mut Collector<'_>,
        budget: &mut SearchBudget,
    ) -> Result<(SearchEnd, usize), Error> {
        let from = collector.searched();
        let mut step = self.index.step_of(from);
        let mut findings = std::pin::pin!(self.findings(step));
        let mut reader: Option<StepReader> = None;
        while let Some(finding) = findings.next().await {
            if self.index.is_open_gap(step, self.open_gaps) {
                return Ok((SearchEnd::Gap, step));
            }
            match finding? {
                Finding::Candidate { lines_before } => {
                    let at = match reader.take() {
                        Some(reader) => reader,
                        None => self.start(step, lines_before, collector),
                    };
                    reader = Some(self.read_through(at, step, collector).await?);
                }
                Finding::Nothing if self.goes_on(step, reader.is_some(), collector) => {
                    if let Some(at) = reader.take() {
                        reader = Some(self.read_through(at, step, collector).await?);
                    }
                }
                Finding::Nothing => reader = None,
            }
            if let Some(Step::Segment(segment)) = self.index.layout().steps.get(step) {
                budget.spend(segment.end_bytes - segment.start_bytes);
            }
            step += 1;
            if collector.is_waiting() {
                continue;
            }
            if collector.is_full() {
                return Ok((SearchEnd::Paused(collector.searched()), step));
            }
            if budget.is_spent()
                && let Some(cursor) = self.pause(step, reader.is_some(), collector)
                && cursor != from
            {
                return Ok((SearchEnd::Paused(cursor), step));
            }
        }
        if let Some(mut reader) = reader.filter(|_| self.open_gaps.ended) {
            push_all(collector, &reader.finish());
        }
        if collector.is_full() {
            return Ok((SearchEnd::Paused(collector.searched()), step));
        }
        Ok((SearchEnd::Archive, step))
    }

    /// What each step from `first` on may hold, a little ahead of the one that is asked for.
    fn findings(&self, first: usize) -> impl Stream<Item = Result<Finding, Error>> + Send + '_ {
        stream::iter(first..self.index.layout().steps.len())
            .map(|step| self.finding(step))
            .buffered(SCREENED_AT_ONCE)
    }

    async fn finding(&self, step: usize) -> Result<Finding, Error> {
        let Some(Step::Segment(segment)) = self.index.layout().steps.get(step) else {
            return Ok(Finding::Nothing);
        };
        // Its lines are not the container's lines: a text may begin in one part and end in
        // another.
        if self.index.runs()[segment.run].has_parts || !segment.starts_whole {
            return Ok(Finding::Candidate { lines_before: 0 });
        }
        let key = &self.index.object_of(segment).key;
        if self.nothing_in().as_ref() == Some(key) {
            return Ok(Finding::Nothing);
        }
        let screen = self.pattern.screen().cloned();
        let Some(object) = self.objects.load_screened(key, screen).await? else {
            *self.nothing_in() = Some(key.clone());
            return Ok(Finding::Nothing);
        };
        let (pattern, kind) = (self.pattern.clone(), self.index.kind());
        let part = self.index.part_of(segment);
        let looking = tokio::task::spawn_blocking(move || {
            let Some(bytes) = part.bytes(&object) else {
                // Reading it will say what is wrong.
                return Finding::Candidate { lines_before: 0 };
            };
            match pattern.first_match(kind, &bytes) {
                None => Finding::Nothing,
                Some(start) => Finding::Candidate {
                    lines_before: memchr::memchr_iter(b'\n', &bytes[..start]).count(),
                },
            }
        });
        looking.await.map_err(|_stopped| Error::Stopped)
    }

    fn nothing_in(&self) -> std::sync::MutexGuard<'_, Option<ObjectKey>> {
        self.nothing_in
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether lines of a step without a hit are wanted: for a hit before it, or because a line
    /// that was begun ends there.
    fn goes_on(&self, step: usize, is_reading: bool, collector: &Collector<'_>) -> bool {
        is_reading && (collector.is_waiting() || !self.starts_whole(step))
    }

    fn starts_whole(&self, step: usize) -> bool {
        match self.index.layout().steps.get(step) {
            Some(Step::Segment(segment)) => segment.starts_whole,
            _ => false,
        }
    }

    /// A reader that will have read so many lines before the step's hit, all with their right
    /// places.
    fn start(
        &self,
        step: usize,
        lines_in_step: usize,
        collector: &mut Collector<'_>,
    ) -> StepReader {
        let steps = &self.index.layout().steps;
        let mut counted = lines_in_step as u64;
        let mut start = step;
        loop {
            if let Step::Segment(segment) = &steps[start] {
                let run = &self.index.runs()[segment.run];
                if start != step && segment.start_bytes == run.start_bytes {
                    counted += run.whole_line_count;
                }
                let is_far_enough = counted >= self.lines_before as u64;
                if is_far_enough && self.index.starts_anew(segment) {
                    break;
                }
            }
            if start == 0 {
                break;
            }
            start -= 1;
        }
        collector.restart(start == 0);
        StepReader::at(self.index, start)
    }

    async fn read_through(
        &self,
        mut reader: StepReader,
        step: usize,
        collector: &mut Collector<'_>,
    ) -> Result<StepReader, Error> {
        while reader.next_step() <= step {
            let Some(read) = reader.read(self.index, self.objects).await? else {
                break;
            };
            push_all(collector, &read.lines);
        }
        Ok(reader)
    }

    /// The cursor at which a search that stops before a step goes on; `None` when the place of the
    /// step's first line is not known without reading the lines before it.
    fn pause(&self, step: usize, is_reading: bool, collector: &Collector<'_>) -> Option<Cursor> {
        let Some(Step::Segment(segment)) = self.index.layout().steps.get(step) else {
            return None;
        };
        if is_reading {
            return Some(collector.searched());
        }
        if !self.index.starts_anew(segment) {
            return None;
        }
        match self.index.runs()[segment.run].minimum_time {
            Some(time) => Some(Cursor::Time(time)),
            None => Some(Cursor::Offset(segment.start_bytes)),
        }
    }
}

fn push_all(collector: &mut Collector<'_>, lines: &[PlacedLine]) {
    for line in lines {
        collector.push(&line.line, line.after());
    }
}
