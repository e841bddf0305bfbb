//! Reading lines out of the archive.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{index::StreamIndex, objects::RawObjects};
use crate::{
    domain::{
        cursor::Cursor,
        layout::{Gap, Segment, Step},
        lines::{Line, LineJoiner, PlacedLine},
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
    fn at(cursor: Cursor) -> Self {
        Self {
            lines: Vec::new(),
            next: cursor,
            end: PageEnd::Archive,
            gaps: Vec::new(),
        }
    }

    /// Adds a line; says whether there is room for another.
    fn push(&mut self, line: Line, after: Cursor, limits: Limits, text_bytes: &mut usize) -> bool {
        *text_bytes += line.text.len();
        if !self.lines.is_empty() && *text_bytes > limits.text_bytes {
            self.end = PageEnd::Full;
            return false;
        }
        self.lines.push(line);
        self.next = after;
        if self.lines.len() >= limits.lines {
            self.end = PageEnd::Full;
        }
        self.end != PageEnd::Full
    }
}

impl StreamIndex {
    /// Reads lines after a cursor.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn read(
        &self,
        objects: &RawObjects,
        cursor: Cursor,
        limits: Limits,
        open_gaps: OpenGaps,
    ) -> Result<ArchivePage, Error> {
        let mut page = ArchivePage::at(cursor);
        let mut text_bytes = 0;
        let start = self.step_of(cursor);
        page.gaps = self.layout().steps[..start]
            .iter()
            .filter_map(as_gap)
            .collect();
        let mut lines = StepLines::new(self.kind(), self.maximum_time_before(start));
        for step in &self.layout().steps[start..] {
            let placed = match step {
                Step::Gap(gap) if self.modified(gap.next_run) > open_gaps.put_after => {
                    page.end = PageEnd::Gap;
                    return Ok(page);
                }
                Step::Gap(gap) => {
                    page.gaps.push(gap.clone());
                    lines.finish()
                }
                Step::Segment(segment) => lines.push(segment, &self.bytes(objects, segment).await?),
            };
            for (line, after) in placed {
                if !is_up_to(after, cursor) && !page.push(line, after, limits, &mut text_bytes) {
                    return Ok(page);
                }
            }
        }
        if open_gaps.ended {
            for (line, after) in lines.finish() {
                if !is_up_to(after, cursor) && !page.push(line, after, limits, &mut text_bytes) {
                    break;
                }
            }
        }
        Ok(page)
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
        let mut lines = StepLines::new(self.kind(), self.maximum_time_before(start));
        // The first one is the line before the tail.
        let mut last = VecDeque::from([Cursor::Begin]);
        let mut note = |placed: Vec<(Line, Cursor)>| {
            for (_, after) in placed {
                last.push_back(after);
                if last.len() > line_count + 1 {
                    last.pop_front();
                }
            }
        };
        for step in &self.layout().steps[start..] {
            match step {
                Step::Gap(_) => note(lines.finish()),
                Step::Segment(segment) => {
                    let bytes = self.bytes(objects, segment).await?;
                    note(lines.push(segment, &bytes));
                }
            }
        }
        if ended {
            note(lines.finish());
        }
        Ok(last.front().copied().unwrap_or(Cursor::Begin))
    }

    /// The step at which reading may start, so that every line after the cursor gets its right
    /// place: no line before the step has the cursor's time.
    fn step_of(&self, cursor: Cursor) -> usize {
        let steps = &self.layout().steps;
        let is_start = |index: &usize| match (&steps[*index], cursor) {
            (Step::Segment(segment), Cursor::Line(place)) => {
                segment
                    .maximum_time_before
                    .is_some_and(|time| time < place.time)
                    && self.starts_whole(*index)
            }
            (Step::Segment(segment), Cursor::Offset(offset)) => {
                segment.start_bytes <= offset && self.starts_whole(*index)
            }
            _ => false,
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
            let starts_anew = segment.maximum_time_before < run.first_time;
            let is_start =
                (self.kind() == StreamKind::EventLog || starts_anew) && self.starts_whole(index);
            if counted >= line_count as u64 && is_start {
                return index;
            }
        }
        0
    }

    /// Whether no line goes on from the step before.
    fn starts_whole(&self, step: usize) -> bool {
        match step
            .checked_sub(1)
            .map(|before| &self.layout().steps[before])
        {
            Some(Step::Segment(before)) => !self.runs()[before.run].ends_partial,
            Some(Step::Gap(_)) | None => true,
        }
    }

    fn maximum_time_before(&self, step: usize) -> Option<Timestamp> {
        match self.layout().steps.get(step) {
            Some(Step::Segment(segment)) => segment.maximum_time_before,
            _ => None,
        }
    }
}

/// Turns segments into lines with the cursors after them.
struct StepLines {
    kind: StreamKind,
    joiner: LineJoiner,
    /// The beginning of a line whose rest the next segment has.
    begun: Vec<u8>,
    position_bytes: u64,
}

impl StepLines {
    fn new(kind: StreamKind, maximum_time_before: Option<Timestamp>) -> Self {
        let joiner = LineJoiner::after(maximum_time_before);
        Self {
            kind,
            joiner,
            begun: Vec::new(),
            position_bytes: 0,
        }
    }

    fn push(&mut self, segment: &Segment, bytes: &[u8]) -> Vec<(Line, Cursor)> {
        let mut lines = Vec::new();
        if segment.start_bytes != self.position_bytes {
            // Another generation: what was begun in the former one does not go on.
            lines.extend(self.end_begun());
        }
        self.position_bytes = segment.start_bytes;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.position_bytes += line.len() as u64;
            match line.strip_suffix(b"\n") {
                Some(line) if self.begun.is_empty() => lines.extend(self.line(line)),
                Some(rest) => {
                    self.begun.extend_from_slice(rest);
                    lines.extend(self.end_begun());
                }
                None => self.begun.extend_from_slice(line),
            }
        }
        lines
    }

    /// What was begun and does not go on.
    fn finish(&mut self) -> Vec<(Line, Cursor)> {
        let mut lines = self.end_begun();
        lines.extend(self.joiner.finish().into_iter().map(placed));
        lines
    }

    fn end_begun(&mut self) -> Vec<(Line, Cursor)> {
        match std::mem::take(&mut self.begun) {
            begun if begun.is_empty() => Vec::new(),
            begun => self.line(&begun),
        }
    }

    fn line(&mut self, line: &[u8]) -> Vec<(Line, Cursor)> {
        match self.kind {
            StreamKind::Container => self.joiner.push(line).into_iter().map(placed).collect(),
            StreamKind::EventLog => {
                let line = Line {
                    text: line.to_vec(),
                    time: None,
                    output: None,
                };
                vec![(line, Cursor::Offset(self.position_bytes))]
            }
        }
    }
}

fn placed(line: PlacedLine) -> (Line, Cursor) {
    (line.line, Cursor::Line(line.place))
}

fn as_gap(step: &Step) -> Option<Gap> {
    match step {
        Step::Gap(gap) => Some(gap.clone()),
        Step::Segment(_) => None,
    }
}

fn is_up_to(after: Cursor, cursor: Cursor) -> bool {
    match (after, cursor) {
        (Cursor::Line(place), Cursor::Line(cursor)) => place.is_up_to(&cursor),
        (Cursor::Offset(offset), Cursor::Offset(cursor)) => offset <= cursor,
        _ => false,
    }
}
