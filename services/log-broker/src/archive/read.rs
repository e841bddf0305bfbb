//! Reading lines out of the archive.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{
    index::StreamIndex,
    objects::RawObjects,
    steps::{LineAndCursor, StepReader},
};
use crate::{
    domain::{
        cursor::Cursor,
        layout::{Gap, Segment, Step},
        lines::Line,
        stream::StreamKind,
    },
    error::Error,
};

/// How much one answer may hold; one line is given whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines.
    pub lines: usize,
    /// Bytes of text.
    pub text_bytes: usize,
    /// Only lines whose place is before this time.
    pub until: Option<Timestamp>,
}

/// Which gaps a reader waits at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenGaps {
    /// A gap before an object that was put later may still be filled.
    pub put_after: Timestamp,
    /// Whether the stream has ended: a line that was begun counts as it is.
    pub ended: bool,
}

/// Why a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEnd {
    /// It is full.
    Full,
    /// The archive has nothing more.
    Archive,
    /// A gap that may still be filled.
    Gap,
    /// The time that limits it.
    Until,
}

/// Some lines.
#[derive(Debug, Clone)]
pub struct ArchivePage {
    /// The lines.
    pub lines: Vec<Line>,
    /// Where to go on.
    pub next: Cursor,
    /// Why there are no more.
    pub end: PageEnd,
    /// The gaps before the end of the page.
    pub gaps: Vec<Gap>,
}

impl ArchivePage {
    /// An empty page.
    pub fn at(cursor: Cursor) -> Self {
        Self {
            lines: Vec::new(),
            next: cursor,
            end: PageEnd::Archive,
            gaps: Vec::new(),
        }
    }

    /// Adds lines behind the page; says whether there is room for more.
    pub fn extend(
        &mut self,
        lines: impl IntoIterator<Item = LineAndCursor>,
        limits: Limits,
    ) -> bool {
        let mut text_bytes: usize = self.lines.iter().map(|line| line.text.len()).sum();
        for (line, after) in lines {
            if after.is_up_to(self.next) {
                continue;
            }
            text_bytes += line.text.len();
            let is_late = |until: Timestamp| !after.is_up_to(Cursor::Time(until));
            if limits.until.is_some_and(is_late) {
                self.end = PageEnd::Until;
                return false;
            }
            if !self.lines.is_empty() && text_bytes > limits.text_bytes {
                self.end = PageEnd::Full;
                return false;
            }
            self.lines.push(line);
            self.next = after;
            if self.lines.len() >= limits.lines {
                self.end = PageEnd::Full;
                return false;
            }
        }
        true
    }
}

impl StreamIndex {
    /// Reads lines after a cursor.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Gone`] when an object was deleted after it was listed.
    pub async fn read(
        &self,
        objects: &RawObjects,
        cursor: Cursor,
        limits: Limits,
        open_gaps: OpenGaps,
    ) -> Result<ArchivePage, Error> {
        let mut page = ArchivePage::at(cursor);
        let mut steps = StepReader::after(self, cursor);
        page.gaps = self.layout().steps[..steps.next_step()]
            .iter()
            .filter_map(as_gap)
            .collect();
        loop {
            if self.is_open_gap(steps.next_step(), open_gaps) {
                page.end = PageEnd::Gap;
                return Ok(page);
            }
            let Some(read) = steps.read(self, objects).await? else {
                break;
            };
            page.gaps.extend(read.gap);
            if !page.extend(read.lines, limits) {
                return Ok(page);
            }
        }
        if open_gaps.ended {
            page.extend(steps.finish(), limits);
        }
        Ok(page)
    }

    /// Whether the step is a gap that may still be filled.
    pub fn is_open_gap(&self, step: usize, open_gaps: OpenGaps) -> bool {
        match self.layout().steps.get(step) {
            Some(Step::Gap(gap)) => self.modified(gap.next_run) > open_gaps.put_after,
            _ => false,
        }
    }

    /// The cursor before the last so many lines.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn tail(
        &self,
        objects: &RawObjects,
        line_count: usize,
        ended: bool,
    ) -> Result<Cursor, Error> {
        let start = self.tail_step(line_count.saturating_add(1));
        let mut steps = StepReader::at(self, start);
        // The first one is the line before the tail.
        let mut last = VecDeque::from([Cursor::Begin]);
        let mut note = |lines: Vec<LineAndCursor>| {
            for (_, after) in lines {
                last.push_back(after);
                if last.len() > line_count + 1 {
                    last.pop_front();
                }
            }
        };
        while let Some(read) = steps.read(self, objects).await? {
            note(read.lines);
        }
        if ended {
            note(steps.finish());
        }
        Ok(last.front().copied().unwrap_or(Cursor::Begin))
    }

    /// The step at which reading may start, so that every line after the cursor gets its right
    /// place: no line before the step has the cursor's time.
    pub(super) fn step_of(&self, cursor: Cursor) -> usize {
        let steps = &self.layout().steps;
        let is_start = |index: &usize| {
            let Step::Segment(segment) = &steps[*index] else {
                return false;
            };
            let is_before = |time: Timestamp| {
                segment
                    .maximum_time_before
                    .is_some_and(|before| before < time)
            };
            segment.starts_whole
                && match cursor {
                    Cursor::Begin => false,
                    Cursor::Line(place) => is_before(place.time),
                    Cursor::Time(time) => is_before(time),
                    Cursor::Offset(offset) => segment.start_bytes <= offset,
                }
        };
        (0..steps.len()).rev().find(is_start).unwrap_or(0)
    }

    fn tail_step(&self, line_count: usize) -> usize {
        let steps = &self.layout().steps;
        let mut counted = 0;
        for (index, step) in steps.iter().enumerate().rev() {
            let Step::Segment(segment) = step else {
                continue;
            };
            let run = &self.runs()[segment.run];
            // Of a run that overlaps the one before only a part counts, which is not known by
            // lines.
            if segment.start_bytes == run.start_bytes {
                counted += run.whole_line_count;
            }
            if counted >= line_count as u64 && self.starts_anew(segment) {
                return index;
            }
        }
        0
    }

    /// Whether reading may start at the segment: its lines are whole, and neither their places nor
    /// those of later lines depend on lines before it.
    pub fn starts_anew(&self, segment: &Segment) -> bool {
        let run = &self.runs()[segment.run];
        // A part alone has no place: the next line that has one, of the other output, may be as
        // early as the lines before.
        let has_place =
            !run.has_parts || segment.start_bytes == run.start_bytes && run.whole_line_count > 0;
        segment.starts_whole
            && (self.kind() == StreamKind::EventLog
                || has_place && segment.maximum_time_before < run.minimum_time)
    }
}

fn as_gap(step: &Step) -> Option<Gap> {
    match step {
        Step::Gap(gap) => Some(gap.clone()),
        Step::Segment(_) => None,
    }
}
