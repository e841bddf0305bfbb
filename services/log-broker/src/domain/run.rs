//! Runs: consecutive lines of one file within one raw object.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    cri::{CriLine, CriReader},
    open_lines::OpenLines,
    record::{Generation, RawRecord, RecordReader},
};

/// Most marks that a run keeps; above it every other one is dropped.
const MAX_MARKS: usize = 128;
/// How many bytes of a run lie between two of its waypoints, at least.
pub const WAYPOINT_BYTES: usize = 64 << 10;

/// The part of a run's memory that may be unused.
const SPARE_PART: usize = 8;

/// What is known of a line that starts at some offset, to tell generations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Offset of the line.
    pub offset_bytes: u64,
    /// Its time; `None` when it is no CRI line.
    pub time: Option<Timestamp>,
    /// Its content.
    pub hash: u64,
}

/// Consecutive lines, without their content: small enough to keep for every object of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Path of the file on its node.
    pub path: Arc<str>,
    /// The generation, when the shipper told it.
    pub generation: Option<Generation>,
    /// Offset of the first line.
    pub start_bytes: u64,
    /// Offset after the last line's newline, or after the last line when it is torn.
    pub end_bytes: u64,
    /// Lines that end a line of the container, or all lines when they are no CRI lines.
    pub whole_line_count: u64,
    /// Time of the first line.
    pub first_time: Option<Timestamp>,
    /// Lowest time of a line; `None` when the first one has none.
    pub minimum_time: Option<Timestamp>,
    /// Highest time of a line.
    pub maximum_time: Option<Timestamp>,
    /// Whether a line of it is partial or torn, so that the container's lines are not its lines.
    pub has_parts: bool,
    /// What is begun at its end.
    pub open_lines: OpenLines,
    /// Some of the lines, the first always; none when the shipper told the generation.
    pub marks: Vec<Mark>,
}

/// A line within a run at which reading may begin: nothing is open before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waypoint {
    /// Offset of the line in its file.
    pub offset_bytes: u64,
    /// Highest time of the run's lines before it.
    pub maximum_time_before: Option<Timestamp>,
}

/// A run and its bytes, which are the source file's from the run's start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What is known of it.
    pub run: Run,
    /// The lines with their newlines.
    pub bytes: Bytes,
    /// Where reading may begin, besides at the start: few to the mebibyte, in order.
    pub waypoints: Vec<Waypoint>,
}

/// A raw object, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawObject {
    /// Its runs, in the order of the object.
    pub pieces: Vec<Piece>,
    /// How many records it has.
    pub record_count: u64,
    /// How many of its lines are no records.
    pub malformed_count: u64,
}

impl RawObject {
    /// Reads the uncompressed bytes of an object. Lines that are no records are counted and left
    /// out: what they held is then missing by its offsets.
    pub fn parse(bytes: &[u8]) -> Self {
        Self::parse_into(bytes, Vec::new())
    }

    /// The same, with the memory of an object that nobody needs any more.
    pub fn parse_into(bytes: &[u8], memory: Vec<u8>) -> Self {
        let mut object = Self::default();
        let mut builder = Builder {
            memory,
            ..Builder::default()
        };
        let mut records = RecordReader::default();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]) {
            let json = &bytes[start..end];
            if json.is_empty() {
                start = end + 1;
                continue;
            }
            match records.read(json) {
                Ok(record) => {
                    object.record_count += 1;
                    builder.push(&record, bytes.len() - start, &mut object.pieces);
                }
                Err(_not_a_record) => object.malformed_count += 1,
            }
            start = end + 1;
        }
        object
            .pieces
            .extend(builder.current.take().map(Open::close));
        object
    }

    /// The largest memory of its lines, unless somebody still reads them.
    pub fn into_memory(self) -> Option<Vec<u8>> {
        let largest = self
            .pieces
            .into_iter()
            .max_by_key(|piece| piece.bytes.len())?;
        largest.bytes.is_unique().then(|| largest.bytes.into())
    }

    /// Memory that it takes, roughly.
    pub fn size_bytes(&self) -> usize {
        let marks = |piece: &Piece| piece.run.marks.len() * size_of::<Mark>();
        self.pieces
            .iter()
            .map(|piece| {
                let waypoints = piece.waypoints.len() * size_of::<Waypoint>();
                piece.bytes.len() + marks(piece) + waypoints + size_of::<Piece>()
            })
            .sum()
    }
}

/// Names content; equal in every process and release (XXH3).
pub fn hash_of(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[derive(Default)]
struct Builder {
    reader: CriReader,
    /// For the lines of the first run.
    memory: Vec<u8>,
    current: Option<Open>,
}

impl Builder {
    /// Takes a record; of the object's bytes so many are left, with it.
    fn push(&mut self, record: &RawRecord<'_>, left_bytes: usize, finished: &mut Vec<Piece>) {
        let continues = self
            .current
            .as_mut()
            .is_some_and(|open| open.continues(record));
        if !continues {
            finished.extend(self.current.take().map(Open::close));
        }
        let cri = self.reader.read(&record.line);
        let memory = &mut self.memory;
        self.current
            .get_or_insert_with(|| Open::new(record, room(std::mem::take(memory), left_bytes)))
            .push(record, cri);
    }
}

/// Empty memory for the lines of so many bytes of records, which are longer than these.
fn room(mut memory: Vec<u8>, records_bytes: usize) -> Vec<u8> {
    if memory.capacity() < records_bytes / 2 {
        // What is not written to costs nothing.
        return Vec::with_capacity(records_bytes);
    }
    memory.clear();
    memory
}

struct Open {
    run: Run,
    bytes: Vec<u8>,
    waypoints: Vec<Waypoint>,
    marks_every: u64,
    line_count: u64,
    /// The next waypoint comes after so many bytes.
    next_waypoint_bytes: usize,
}

impl Open {
    fn new(record: &RawRecord<'_>, memory: Vec<u8>) -> Self {
        let run = Run {
            path: Arc::from(&*record.path),
            generation: record.generation,
            start_bytes: record.offset_bytes,
            end_bytes: record.offset_bytes,
            whole_line_count: 0,
            first_time: None,
            minimum_time: None,
            maximum_time: None,
            has_parts: false,
            open_lines: OpenLines::default(),
            marks: Vec::new(),
        };
        Self {
            run,
            bytes: memory,
            waypoints: Vec::new(),
            marks_every: 1,
            line_count: 0,
            next_waypoint_bytes: WAYPOINT_BYTES,
        }
    }

    /// Whether the record is the next line of this run. Fluent Bit takes the carriage return before
    /// a newline away, which shows as one byte that is missing between two of its records: it
    /// is put back. Behind a torn line there was none.
    fn continues(&mut self, record: &RawRecord<'_>) -> bool {
        let Self { run, bytes, .. } = self;
        if *run.path != *record.path || run.generation != record.generation {
            return false;
        }
        let is_behind_newline = run.generation.is_none() && bytes.last() == Some(&b'\n');
        if record.offset_bytes == run.end_bytes + 1 && is_behind_newline {
            bytes.insert(bytes.len() - 1, b'\r');
            run.end_bytes += 1;
        }
        record.offset_bytes == run.end_bytes
    }

    fn push(&mut self, record: &RawRecord<'_>, cri: Option<CriLine<'_>>) {
        let Self {
            run,
            bytes,
            waypoints,
            ..
        } = self;
        if bytes.len() >= self.next_waypoint_bytes && !run.open_lines.any() {
            waypoints.push(Waypoint {
                offset_bytes: record.offset_bytes,
                maximum_time_before: run.maximum_time,
            });
            self.next_waypoint_bytes = bytes.len() + WAYPOINT_BYTES;
        }
        let time = cri.map(|line| line.time);
        if self.line_count == 0 {
            run.first_time = time;
            run.minimum_time = time;
        }
        // Two outputs may be written out of order.
        run.minimum_time = run.minimum_time.min(time.or(run.minimum_time));
        run.maximum_time = run.maximum_time.max(time);
        let is_part = record.torn || cri.is_some_and(|line| line.partial);
        run.has_parts |= is_part;
        run.open_lines.push(cri.as_ref(), record.torn);
        run.whole_line_count += u64::from(!is_part);
        if run.generation.is_none() && self.line_count.is_multiple_of(self.marks_every) {
            let hash = hash_of(&record.line);
            run.marks.push(Mark {
                offset_bytes: record.offset_bytes,
                time,
                hash,
            });
            if run.marks.len() > MAX_MARKS {
                self.marks_every *= 2;
                let mut keep = false;
                run.marks.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
        }
        self.line_count += 1;
        bytes.extend_from_slice(&record.line);
        run.end_bytes += record.line.len() as u64;
        if !record.torn {
            bytes.push(b'\n');
            run.end_bytes += 1;
        }
    }

    fn close(mut self) -> Piece {
        // It is kept for a while; a little more than it needs is worth less than a copy.
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / SPARE_PART {
            self.bytes.shrink_to_fit();
        }
        Piece {
            run: self.run,
            bytes: self.bytes.into(),
            waypoints: self.waypoints,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(records: &[(&str, u64, &str)]) -> RawObject {
        let lines: Vec<_> = records
            .iter()
            .map(|(path, offset, log)| {
                serde_json::json!({"path": path, "offset": offset, "log": log}).to_string()
            })
            .collect();
        RawObject::parse(lines.join("\n").as_bytes())
    }

    fn ranges(object: &RawObject) -> Vec<(u64, u64, &str)> {
        let text = |piece: &'_ Piece| (piece.run.start_bytes, piece.run.end_bytes);
        object
            .pieces
            .iter()
            .map(|piece| {
                (
                    text(piece).0,
                    text(piece).1,
                    std::str::from_utf8(&piece.bytes).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn consecutive_lines_are_one_run() {
        let object = object(&[
            ("/a", 0, "one"),
            ("/a", 4, "two"),
            ("/a", 20, "x"),
            ("/b", 22, "y"),
        ]);
        assert_eq!(
            ranges(&object),
            [(0, 8, "one\ntwo\n"), (20, 22, "x\n"), (22, 24, "y\n")]
        );
        assert_eq!((object.record_count, object.malformed_count), (4, 0));
    }

    #[test]
    fn carriage_return_that_the_shipper_took_is_put_back() {
        let object = object(&[("/a", 0, "one"), ("/a", 5, "two"), ("/a", 10, "x")]);
        assert_eq!(ranges(&object), [(0, 12, "one\r\ntwo\r\nx\n")]);
    }

    #[test]
    fn byte_that_is_missing_behind_a_torn_line_is_a_gap() {
        for (torn, after) in [("", "1"), ("x", "2")] {
            let json = format!(
                "{{\"path\":\"/a\",\"offset\":0,\"log\":\"{torn}\",\"torn\":true}}\n\
                 {{\"path\":\"/a\",\"offset\":{after},\"log\":\"y\"}}"
            );
            let object = RawObject::parse(json.as_bytes());
            let after: u64 = after.parse().unwrap();
            let expected = [(0, after - 1, torn), (after, after + 2, "y\n")];
            assert_eq!(ranges(&object), expected);
        }
    }

    #[test]
    fn torn_line_goes_on_or_ends_the_file() {
        let json = |offset: u64, log: &str, torn: bool| serde_json::json!({"path": "/a", "offset": offset, "log": log, "generation": "1-2", "torn": torn});
        let lines = [
            json(0, "lo", true),
            json(2, "ng", false),
            json(5, "end", true),
        ];
        let text = lines.map(|line| line.to_string()).join("\n");
        let object = RawObject::parse(text.as_bytes());
        assert_eq!(ranges(&object), [(0, 8, "long\nend")]);
        let run = &object.pieces[0].run;
        assert_eq!((run.whole_line_count, run.open_lines.any()), (1, true));
    }

    #[test]
    fn damaged_lines_are_counted() {
        let object = RawObject::parse(
            b"{\"path\":\"/a\",\"offset\":0,\"log\":\"x\"}\n{\"path\":\"/a\",\"off",
        );
        assert_eq!((object.record_count, object.malformed_count), (1, 1));
    }

    #[test]
    fn waypoints_are_few_and_never_within_a_line() {
        let line = |second: usize, flag: char| {
            let (minute, second) = (second / 60 % 60, second % 60);
            let text = "x".repeat(1000);
            format!("2026-11-21T02:{minute:02}:{second:02}Z stdout {flag} {text}")
        };
        // Three parts of four belong to a line that goes on.
        let lines: Vec<_> = (0..1000)
            .map(|number| line(number, if number % 4 == 3 { 'F' } else { 'P' }))
            .collect();
        let length = lines[0].len() as u64 + 1;
        let records: Vec<_> = (0..)
            .zip(&lines)
            .map(|(number, line)| ("/a", number * length, line.as_str()))
            .collect();
        let object = object(&records);
        let waypoints = &object.pieces[0].waypoints;
        assert!(
            waypoints.len() >= 14
                && waypoints.len() <= object.pieces[0].bytes.len() / WAYPOINT_BYTES
        );
        for waypoint in waypoints {
            assert_eq!(waypoint.offset_bytes % (4 * length), 0);
            let before = usize::try_from(waypoint.offset_bytes / length).unwrap() - 1;
            let time = CriLine::parse(lines[before].as_bytes()).unwrap().time;
            assert_eq!(waypoint.maximum_time_before, Some(time));
        }
    }

    #[test]
    fn marks_stay_few_and_keep_the_first() {
        let records: Vec<_> = (0..10_000_u64).map(|line| ("/a", line * 2, "x")).collect();
        let object = object(&records);
        let marks = &object.pieces[0].run.marks;
        assert!(marks.len() <= MAX_MARKS);
        assert_eq!(marks[0].offset_bytes, 0);
        assert!(marks.last().unwrap().offset_bytes > 19_000);
    }
}
