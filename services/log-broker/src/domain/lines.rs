//! Lines as readers see them. Those of a container: partial ones joined, each with a place that live
//! and archive share.

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    cri::{CriReader, Output},
    cursor::{Cursor, LinePlace},
    run::hash_of,
};

/// Longest line that is given in one piece. A longer one is cut, the same way live and archived.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// A line as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What was written, without the line end.
    pub text: Bytes,
    /// When; `None` in event logs.
    pub time: Option<Timestamp>,
    /// Where; `None` when it is not known.
    pub output: Option<Output>,
    /// Whether no line end follows it: it goes on in the next line, or its end was never written.
    pub unterminated: bool,
}

/// A line and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedLine {
    /// The line.
    pub line: Line,
    /// Its place.
    pub place: Place,
}

/// Where a line stands, without what tells whether it is really the same line: that costs as much
/// as a look at its text, and is needed of few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line of a container: its time, never lower than that of a line before it, and its number
    /// among the lines of that time.
    Time(Timestamp, u32),
    /// A line of an event log: where it ends in its file, its newline included.
    End(u64),
}

impl Place {
    /// The cursor after the line there, which has this text.
    pub fn after(self, text: &[u8]) -> Cursor {
        self.cursor(hash_of(text))
    }

    fn cursor(self, hash: u64) -> Cursor {
        match self {
            Self::Time(time, ordinal) => Cursor::Line(LinePlace {
                time,
                ordinal,
                hash,
            }),
            Self::End(end_bytes) => Cursor::Offset(end_bytes),
        }
    }
}

impl PlacedLine {
    /// The cursor after it.
    pub fn after(&self) -> Cursor {
        self.place.after(&self.line.text)
    }

    /// Whether it lies before or at `cursor`, where a reader goes on.
    pub fn is_up_to(&self, cursor: Cursor) -> bool {
        // The order is that of the places alone.
        self.place.cursor(0).is_up_to(cursor)
    }

    /// Whether a reader goes on after it there.
    pub fn is_at(&self, cursor: Cursor) -> bool {
        self.is_up_to(cursor) && self.after() == cursor
    }
}

/// Joins the lines of a container's log in the order of the file.
///
/// The place of a line is its time, never lower than that of a line before it (two outputs may be
/// written microseconds out of order), and its number among lines of that time.
#[derive(Debug, Clone, Default)]
pub struct LineJoiner {
    reader: CriReader,
    last: Option<(Timestamp, u32)>,
    stdout: Partial,
    stderr: Partial,
}

#[derive(Debug, Clone, Default)]
struct Partial {
    text: Vec<u8>,
    /// Time of the first part; `None` when nothing was begun.
    begin: Option<Timestamp>,
}

impl LineJoiner {
    /// A joiner for the lines after those whose highest time is `maximum_time_before`.
    pub fn after(maximum_time_before: Option<Timestamp>) -> Self {
        // Nobody asks for places at that time when he starts here, so that their numbers do not
        // matter.
        Self {
            last: maximum_time_before.map(|time| (time, 0)),
            ..Self::default()
        }
    }

    /// Takes a line of the file, without its newline, which is a part of `memory`; gives the
    /// container's lines that it ends. They share the memory as far as they can.
    pub fn push(&mut self, line: &[u8], memory: &Bytes, give: &mut impl FnMut(PlacedLine)) {
        let Some(cri) = self.reader.read(line) else {
            let time = self.last.map_or(Timestamp::UNIX_EPOCH, |(time, _)| time);
            return self.cut(time, None, memory.slice_ref(line), false, give);
        };
        let partial = self.partial(cri.output);
        if !cri.partial && partial.begin.is_none() {
            let text = memory.slice_ref(cri.text);
            return self.cut(cri.time, Some(cri.output), text, false, give);
        }
        let begin = *partial.begin.get_or_insert(cri.time);
        partial.text.extend_from_slice(cri.text);
        if cri.partial && partial.text.len() <= MAX_LINE_BYTES {
            return;
        }
        let keep = if cri.partial {
            partial.text.split_off(MAX_LINE_BYTES)
        } else {
            Vec::new()
        };
        let text = std::mem::replace(&mut partial.text, keep);
        if !cri.partial {
            partial.begin = None;
        }
        self.cut(begin, Some(cri.output), text.into(), cri.partial, give);
    }

    /// Takes a line of the Kubernetes log API, which has joined it.
    pub fn push_joined(&mut self, time: Timestamp, text: Bytes) -> Vec<PlacedLine> {
        let mut lines = Vec::new();
        self.cut(time, None, text, false, &mut |line| lines.push(line));
        lines
    }

    /// What was begun and not ended, when nothing more will come.
    pub fn finish(&mut self) -> Vec<PlacedLine> {
        let mut lines = Vec::new();
        for output in [Output::Stdout, Output::Stderr] {
            let Partial { text, begin } = std::mem::take(self.partial(output));
            if let Some(begin) = begin {
                self.cut(begin, Some(output), text.into(), true, &mut |line| {
                    lines.push(line);
                });
            }
        }
        lines
    }

    fn partial(&mut self, output: Output) -> &mut Partial {
        match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
        }
    }

    fn cut(
        &mut self,
        time: Timestamp,
        output: Option<Output>,
        mut text: Bytes,
        unterminated: bool,
        give: &mut impl FnMut(PlacedLine),
    ) {
        while text.len() > MAX_LINE_BYTES {
            let rest = text.split_off(MAX_LINE_BYTES);
            give(self.place(time, output, text, true));
            text = rest;
        }
        give(self.place(time, output, text, unterminated));
    }

    fn place(
        &mut self,
        time: Timestamp,
        output: Option<Output>,
        text: Bytes,
        unterminated: bool,
    ) -> PlacedLine {
        let (place_time, ordinal) = match self.last {
            Some((last, ordinal)) if time <= last => (last, ordinal + 1),
            _ => (time, 0),
        };
        self.last = Some((place_time, ordinal));
        PlacedLine {
            line: Line {
                text,
                time: Some(time),
                output,
                unterminated,
            },
            place: Place::Time(place_time, ordinal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&str]) -> Vec<(String, i32, u32)> {
        let mut joiner = LineJoiner::default();
        let mut placed = Vec::new();
        for line in lines {
            let line = Bytes::copy_from_slice(line.as_bytes());
            joiner.push(&line, &line, &mut |line| placed.push(line));
        }
        placed.extend(joiner.finish());
        placed
            .into_iter()
            .map(|placed| {
                let text = String::from_utf8(placed.line.text.to_vec()).unwrap();
                let Place::Time(time, ordinal) = placed.place else {
                    panic!("{placed:?}");
                };
                (text, time.subsec_nanosecond(), ordinal)
            })
            .collect()
    }

    #[test]
    fn partial_lines_are_joined_by_output() {
        let lines = joined(&[
            "2026-11-21T03:00:00.000000001Z stdout P one ",
            "2026-11-21T03:00:00.000000002Z stderr F error",
            "2026-11-21T03:00:00.000000003Z stdout F line",
            "2026-11-21T03:00:00.000000004Z stdout P unfinished",
        ]);
        assert_eq!(
            lines,
            [
                ("error".into(), 2, 0),
                ("one line".into(), 2, 1),
                ("unfinished".into(), 4, 0)
            ]
        );
    }

    #[test]
    fn lines_of_one_time_are_numbered_and_time_never_falls() {
        let lines = joined(&[
            "2026-11-21T03:00:00.000000005Z stdout F a",
            "2026-11-21T03:00:00.000000005Z stdout F b",
            "2026-11-21T03:00:00.000000004Z stderr F c",
            "2026-11-21T03:00:00.000000006Z stderr F d",
        ]);
        let places: Vec<_> = lines
            .iter()
            .map(|(_, time, ordinal)| (*time, *ordinal))
            .collect();
        assert_eq!(places, [(5, 0), (5, 1), (5, 2), (6, 0)]);
    }

    #[test]
    fn live_line_has_the_place_of_its_archived_self() {
        let time: Timestamp = "2026-11-21T03:00:00.5Z".parse().unwrap();
        let long = "x".repeat(3 * MAX_LINE_BYTES / 2);
        let live = LineJoiner::default().push_joined(time, long.clone().into());
        let mut joiner = LineJoiner::default();
        let (head, tail) = long.split_at(10_000);
        let mut archived = Vec::new();
        for line in [
            format!("{time} stdout P {head}"),
            format!("{time} stdout F {tail}"),
        ] {
            let line = Bytes::from(line);
            joiner.push(&line, &line, &mut |line| archived.push(line));
        }
        let places = |lines: &[PlacedLine]| lines.iter().map(PlacedLine::after).collect::<Vec<_>>();
        assert_eq!(places(&live).len(), 2);
        assert_eq!(places(&live), places(&archived));
        let ends = archived.iter().map(|line| line.line.unterminated);
        assert_eq!(ends.collect::<Vec<_>>(), [true, false]);
    }
}
