//! The steps of a stream as lines.

use bytes::{Buf as _, Bytes};
use jiff::Timestamp;
use memchr::{memchr, memchr_iter};

use super::{index::StreamIndex, objects::RawObjects};
use crate::{
    domain::{
        cursor::Cursor,
        layout::{Gap, Segment, Step},
        lines::{Line, LineJoiner, MAX_LINE_BYTES, Place, PlacedLine},
        run::WAYPOINT_BYTES,
        stream::StreamKind,
    },
    error::Error,
};

/// Most of a container's file that is kept while its newline is awaited; no runtime writes such
/// lines.
const MAX_BEGUN_BYTES: usize = 2 * MAX_LINE_BYTES;

/// How much of a segment is read at once; to the end of a line.
const PART_BYTES: usize = WAYPOINT_BYTES;

/// How far is read ahead. With a single step a reader waits for each object that takes longer to get
/// than the one before it takes to read.
const READ_AHEAD_STEPS: usize = 2;

/// What a step gives, or a part of it.
#[derive(Debug)]
pub struct StepLines {
    /// The gap, when the step is one.
    pub gap: Option<Gap>,
    /// The lines that end in it, parts of their object's memory.
    pub lines: Vec<PlacedLine>,
}

/// Reads one step of a stream after another, large ones in parts. It holds the memory of the object
/// that it reads, and so does each of its lines.
#[derive(Debug)]
pub struct StepReader {
    kind: StreamKind,
    next_step: usize,
    /// What is left of the next step, once it is begun, and where in its file that is.
    begun_step: Option<(Bytes, u64)>,
    /// Lines up to here need not be read.
    after: Cursor,
    /// Whether more than the first object is likely to be wanted.
    is_reading_on: bool,
    joiner: LineJoiner,
    /// The beginning of a line whose rest the next segment has.
    begun: Vec<u8>,
    /// Where what was begun, or else the next line, starts in its file.
    position_bytes: u64,
}

impl StepReader {
    /// A reader from a step on. Lines get their right places when no line before the step has the
    /// time of one that is asked for.
    pub fn at(index: &StreamIndex, step: usize) -> Self {
        let maximum_time_before = match index.layout().steps.get(step) {
            Some(Step::Segment(segment)) => segment.maximum_time_before,
            _ => None,
        };
        Self::new(index.kind(), step, maximum_time_before)
    }

    /// A reader of the lines after a cursor; it gives some before them too.
    pub fn after(index: &StreamIndex, cursor: Cursor) -> Self {
        Self {
            after: cursor,
            is_reading_on: matches!(cursor, Cursor::Line(_) | Cursor::Offset(_)),
            ..Self::at(index, index.step_of(cursor))
        }
    }

    fn new(kind: StreamKind, next_step: usize, maximum_time_before: Option<Timestamp>) -> Self {
        Self {
            kind,
            next_step,
            begun_step: None,
            after: Cursor::Begin,
            is_reading_on: false,
            joiner: LineJoiner::after(maximum_time_before),
            begun: Vec::new(),
            position_bytes: 0,
        }
    }

    /// The step that is read next.
    pub fn next_step(&self) -> usize {
        self.next_step
    }

    /// Reads the next step or the next part of it; `None` after the last one.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Gone`] when an object was deleted after it was listed.
    pub async fn read(
        &mut self,
        index: &StreamIndex,
        objects: &RawObjects,
    ) -> Result<Option<StepLines>, Error> {
        let Some(step) = index.layout().steps.get(self.next_step) else {
            return Ok(None);
        };
        match step {
            Step::Gap(gap) => {
                self.next_step += 1;
                Ok(Some(StepLines {
                    gap: Some(gap.clone()),
                    lines: self.finish(),
                }))
            }
            Step::Segment(segment) => {
                let (mut left, start_bytes) = match self.begun_step.take() {
                    Some(begun) => begun,
                    None => self.begin_step(index, objects, segment).await?,
                };
                let part = left.split_to(part_end(&left));
                let lines = self.push(start_bytes, &part);
                if left.is_empty() {
                    self.next_step += 1;
                } else {
                    self.begun_step = Some((left, start_bytes + part.len() as u64));
                }
                Ok(Some(StepLines { gap: None, lines }))
            }
        }
    }

    /// The bytes of a segment that are to be read, and where in its file they are.
    async fn begin_step(
        &mut self,
        index: &StreamIndex,
        objects: &RawObjects,
        segment: &Segment,
    ) -> Result<(Bytes, u64), Error> {
        if self.is_reading_on {
            self.read_ahead(index, objects, segment);
        }
        self.is_reading_on = true;
        let object = index.load(objects, segment).await?;
        let mut bytes = index.bytes_in(&object, segment)?;
        // Only before the first step: places of later lines are counted from the lines before.
        let cursor = std::mem::replace(&mut self.after, Cursor::Begin);
        let Some(waypoint) = index.waypoint(&object, segment, cursor) else {
            return Ok((bytes, segment.start_bytes));
        };
        let before = segment.maximum_time_before;
        self.joiner = LineJoiner::after(before.max(waypoint.maximum_time_before));
        self.position_bytes = waypoint.offset_bytes;
        let skipped = waypoint.offset_bytes - segment.start_bytes;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        bytes.advance(skipped.min(bytes.len()));
        Ok((bytes, waypoint.offset_bytes))
    }

    /// Has the next objects read while this one is used.
    fn read_ahead(&self, index: &StreamIndex, objects: &RawObjects, segment: &Segment) {
        let this = index.object_of(segment);
        let behind = index.layout().steps.iter().skip(self.next_step + 1);
        for step in behind.take(READ_AHEAD_STEPS) {
            if let Step::Segment(next) = step {
                let next = index.object_of(next);
                if this.key != next.key && !next.gone {
                    objects.read_ahead(&next.key);
                }
            }
        }
    }

    /// What was begun and does not go on.
    pub fn finish(&mut self) -> Vec<PlacedLine> {
        let mut lines = self.end_begun(true);
        lines.extend(self.joiner.finish());
        lines
    }

    /// Takes the bytes at some offset of a file.
    fn push(&mut self, start_bytes: u64, bytes: &Bytes) -> Vec<PlacedLine> {
        let mut lines = Vec::new();
        if start_bytes != self.position_bytes + self.begun.len() as u64 {
            // Another generation: what was begun in the former one does not go on.
            lines.extend(self.end_begun(true));
            self.position_bytes = start_bytes;
        }
        let mut start = 0;
        for newline in memchr_iter(b'\n', bytes) {
            let line = &bytes[start..newline];
            start = newline + 1;
            if self.begun.is_empty() {
                self.line(line, bytes, false, &mut lines);
            } else {
                self.begin(line, &mut lines);
                lines.extend(self.end_begun(false));
            }
        }
        self.begin(&bytes[start..], &mut lines);
        lines
    }

    /// Adds to what was begun, and gives what is too long to be kept.
    fn begin(&mut self, part: &[u8], lines: &mut Vec<PlacedLine>) {
        let limit = match self.kind {
            StreamKind::Container => MAX_BEGUN_BYTES,
            StreamKind::EventLog => MAX_LINE_BYTES,
        };
        self.begun.extend_from_slice(part);
        while self.begun.len() > limit {
            let rest = self.begun.split_off(limit);
            let piece = Bytes::from(std::mem::replace(&mut self.begun, rest));
            self.line(&piece, &piece, true, lines);
        }
    }

    fn end_begun(&mut self, unterminated: bool) -> Vec<PlacedLine> {
        let mut lines = Vec::new();
        let begun = Bytes::from(std::mem::take(&mut self.begun));
        if !begun.is_empty() {
            self.line(&begun, &begun, unterminated, &mut lines);
        }
        lines
    }

    /// Takes a line of the file, a part of `memory`, which has a newline unless it is
    /// `unterminated`.
    fn line(
        &mut self,
        line: &[u8],
        memory: &Bytes,
        unterminated: bool,
        lines: &mut Vec<PlacedLine>,
    ) {
        let newline_bytes = u64::from(!unterminated);
        if self.kind == StreamKind::Container {
            self.position_bytes += line.len() as u64 + newline_bytes;
            let before = lines.len();
            self.joiner.push(line, memory, &mut |line| lines.push(line));
            if let Some(last) = lines[before..].last_mut() {
                last.line.unterminated |= unterminated;
            }
            return;
        }
        let mut rest = line;
        loop {
            let (text, after) = rest.split_at(rest.len().min(MAX_LINE_BYTES));
            let is_last = after.is_empty();
            self.position_bytes += text.len() as u64 + if is_last { newline_bytes } else { 0 };
            let line = Line {
                text: memory.slice_ref(text),
                time: None,
                output: None,
                unterminated: unterminated || !is_last,
            };
            let place = Place::End(self.position_bytes);
            lines.push(PlacedLine { line, place });
            if is_last {
                return;
            }
            rest = after;
        }
    }
}

/// How long the first part is, which ends with a line.
fn part_end(bytes: &[u8]) -> usize {
    let after = bytes.len().min(PART_BYTES);
    memchr(b'\n', &bytes[after..]).map_or(bytes.len(), |newline| after + newline + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds a file in parts; gives the lines with their cursors.
    fn read(kind: StreamKind, file: &[u8], cuts: &[usize]) -> Vec<PlacedLine> {
        let mut reader = StepReader::new(kind, 0, None);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (file.len() + 1)).collect();
        cuts.extend([0, file.len()]);
        cuts.sort_unstable();
        let mut lines = Vec::new();
        for pair in cuts.windows(2) {
            let bytes = Bytes::copy_from_slice(&file[pair[0]..pair[1]]);
            lines.extend(reader.push(pair[0] as u64, &bytes));
        }
        lines.extend(reader.finish());
        lines
    }

    fn joined(lines: &[PlacedLine]) -> Vec<u8> {
        let text = |PlacedLine { line, .. }: &PlacedLine| {
            let mut text = line.text.to_vec();
            text.extend((!line.unterminated).then_some(b'\n'));
            text
        };
        lines.iter().flat_map(text).collect()
    }

    #[test]
    fn long_line_of_an_event_log_is_cut_at_the_same_bytes_however_it_came() {
        let mut file = vec![b'a'; 2 * MAX_LINE_BYTES + 7];
        file.extend_from_slice(b"\nshort\n");
        file.extend(vec![b'b'; MAX_LINE_BYTES]);
        file.push(b'\n');
        let whole = read(StreamKind::EventLog, &file, &[]);
        let parts = [5, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 9];
        assert!(whole == read(StreamKind::EventLog, &file, &parts));
        let ends: Vec<_> = whole
            .iter()
            .map(|PlacedLine { line, place }| (line.text.len(), line.unterminated, *place))
            .collect();
        let limit = MAX_LINE_BYTES as u64;
        let expected = [
            (MAX_LINE_BYTES, true, Place::End(limit)),
            (MAX_LINE_BYTES, true, Place::End(2 * limit)),
            (7, false, Place::End(2 * limit + 8)),
            (5, false, Place::End(2 * limit + 14)),
            (MAX_LINE_BYTES, false, Place::End(3 * limit + 15)),
        ];
        assert_eq!(ends, expected);
    }

    #[test]
    fn file_without_newline_is_not_kept_in_memory() {
        let part = Bytes::from(vec![b'x'; MAX_LINE_BYTES]);
        for kind in [StreamKind::Container, StreamKind::EventLog] {
            let mut reader = StepReader::new(kind, 0, None);
            let mut text_bytes = 0;
            for number in 0..20 {
                let lines = reader.push(number * part.len() as u64, &part);
                text_bytes += lines.iter().map(|line| line.line.text.len()).sum::<usize>();
                assert!(reader.begun.len() <= MAX_BEGUN_BYTES, "{kind:?}");
            }
            let rest = reader.finish();
            text_bytes += rest.iter().map(|line| line.line.text.len()).sum::<usize>();
            assert_eq!(text_bytes, 20 * MAX_LINE_BYTES, "{kind:?}");
        }
    }

    proptest! {
        #[test]
        fn any_event_log_comes_back(file in "[ab\n]{0,60}", cuts: Vec<usize>) {
            let lines = read(StreamKind::EventLog, file.as_bytes(), &cuts);
            prop_assert_eq!(joined(&lines), file.as_bytes());
            let end = lines.last().map_or(Cursor::Offset(0), PlacedLine::after);
            prop_assert_eq!(end, Cursor::Offset(file.len() as u64));
        }
    }
}
