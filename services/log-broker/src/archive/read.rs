//! Reading lines out of the archive.

use std::{collections::VecDeque, vec};

use jiff::Timestamp;

use super::{index::StreamIndex, objects::RawObjects, steps::StepReader};
use crate::{
    domain::{
        cursor::Cursor,
        layout::{Gap, Segment, Step},
        lines::{Line, PlacedLine},
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
    text_bytes: usize,
}

impl ArchivePage {
    /// An empty page.
    pub fn at(cursor: Cursor) -> Self {
        Self {
            lines: Vec::new(),
            next: cursor,
            end: PageEnd::Archive,
            gaps: Vec::new(),
            text_bytes: 0,
        }
    }

    /// Takes lines behind the page, in order, as long as there is room; says whether there is room
    /// for more.
    pub fn take(&mut self, lines: &mut vec::IntoIter<PlacedLine>, limits: Limits) -> bool {
        let mut last = None;
        let end = loop {
            let Some(line) = lines.as_slice().first() else {
                break None;
            };
            if line.is_up_to(self.next) {
                lines.next();
                continue;
            }
            if let Some(end) = self.end_before(line, limits) {
                break Some(end);
            }
            if let Some(PlacedLine { line, place }) = lines.next() {
                self.text_bytes += line.text.len();
                self.lines.push(line);
                last = Some(place);
            }
            if self.lines.len() >= limits.lines {
                break Some(PageEnd::Full);
            }
        };
        if let (Some(place), Some(line)) = (last, self.lines.last()) {
            self.next = place.after(&line.text);
        }
        self.end = end.unwrap_or(self.end);
        end.is_none()
    }

    /// Why the line has no place on the page; `None` when it has one.
    fn end_before(&self, line: &PlacedLine, limits: Limits) -> Option<PageEnd> {
        let is_late = |until: Timestamp| !line.is_up_to(Cursor::Time(until));
        if limits.until.is_some_and(is_late) {
            return Some(PageEnd::Until);
        }
        let text_bytes = self.text_bytes + line.line.text.len();
        let is_full = !self.lines.is_empty() && text_bytes > limits.text_bytes;
        is_full.then_some(PageEnd::Full)
    }
}

/// Reads the pages of a stream one after another.
#[derive(Debug)]
pub struct PageReader {
    steps: StepReader,
    /// What was read and had no room in the last page.
    lines: vec::IntoIter<PlacedLine>,
    /// After which line it goes on.
    cursor: Cursor,
    /// The gaps before that.
    gaps: Vec<Gap>,
}

impl PageReader {
    /// A reader of the lines after a cursor.
    pub fn after(index: &StreamIndex, cursor: Cursor) -> Self {
        let steps = StepReader::after(index, cursor);
        let passed = index.layout().gaps_before(steps.next_step());
        Self {
            gaps: passed.cloned().collect(),
            steps,
            lines: Vec::new().into_iter(),
            cursor,
        }
    }

    /// Reads the next page. Only after a full one there is another; the index is the same each
    /// time.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Gone`] when an object was deleted after it was listed.
    pub async fn page(
        &mut self,
        index: &StreamIndex,
        objects: &RawObjects,
        limits: Limits,
        open_gaps: OpenGaps,
    ) -> Result<ArchivePage, Error> {
        let mut page = ArchivePage::at(self.cursor);
        while page.take(&mut self.lines, limits) {
            if index.is_open_gap(self.steps.next_step(), open_gaps) {
                page.end = PageEnd::Gap;
                break;
            }
            let Some(read) = self.steps.read(index, objects).await? else {
                if open_gaps.ended {
                    self.lines = self.steps.finish().into_iter();
                    page.take(&mut self.lines, limits);
                }
                break;
            };
            self.gaps.extend(read.gap);
            self.lines = read.lines.into_iter();
        }
        self.cursor = page.next;
        page.gaps.clone_from(&self.gaps);
        Ok(page)
    }
}

impl StreamIndex {
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
        let mut note = |lines: Vec<PlacedLine>| {
            for line in lines {
                last.push_back(line.after());
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
