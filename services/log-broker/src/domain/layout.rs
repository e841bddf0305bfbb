//! A stream put in order: every byte once, and what is missing.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;

use super::{generation::groups, open_lines::OpenLines, run::Run, stream::StreamKind};

/// Part of a run that stands for its bytes in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Index of the run.
    pub run: usize,
    /// First byte of the file that is taken from it.
    pub start_bytes: u64,
    /// Byte after the last one.
    pub end_bytes: u64,
    /// Highest time of all lines before it in the stream.
    pub maximum_time_before: Option<Timestamp>,
    /// Whether no line goes on in it that began before it.
    pub starts_whole: bool,
}

/// Bytes of a file that no record holds, though later ones are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Path of the file on its node.
    pub path: Arc<str>,
    /// First missing byte.
    pub start_bytes: u64,
    /// First byte after the gap.
    pub end_bytes: u64,
    /// Index of the run after it; or of one that is gone, whose bytes end the gap.
    pub next_run: usize,
    /// Whether nothing of the stream is known before it: rotated away before it was shipped.
    pub at_the_beginning: bool,
}

/// What comes next in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Lines.
    Segment(Segment),
    /// Nothing, though there was something.
    Gap(Gap),
}

/// A stream in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Its steps.
    pub steps: Vec<Step>,
}

impl Layout {
    /// Puts runs in order, whatever order they came in and however often. Of two runs that hold the
    /// same bytes the one that reaches further is taken, then the one with the lower index.
    pub fn new(kind: StreamKind, runs: &[Run]) -> Self {
        Self::without(kind, runs, |_| false)
    }

    /// Puts runs in order of which some are known and not there any more: what no other run holds
    /// of their bytes is a gap, also behind the last byte that is there.
    pub fn without(kind: StreamKind, runs: &[Run], is_gone: impl Fn(usize) -> bool) -> Self {
        let mut steps = Vec::new();
        let mut maximum_time = None;
        let mut open_lines = OpenLines::default();
        for group in groups(kind, runs) {
            open_lines = open_lines.in_next_file();
            let (gone, mut members): (Vec<_>, Vec<_>) =
                group.members.into_iter().partition(|index| is_gone(*index));
            members.sort_by_key(|index| {
                (
                    runs[*index].start_bytes,
                    Reverse(runs[*index].end_bytes),
                    *index,
                )
            });
            let mut position = 0;
            for index in members {
                let run = &runs[index];
                if run.end_bytes <= position {
                    continue;
                }
                if run.start_bytes > position + tolerance(kind, position, run) {
                    steps.push(Step::Gap(Gap {
                        path: Arc::clone(&group.path),
                        start_bytes: position,
                        end_bytes: run.start_bytes,
                        next_run: index,
                        at_the_beginning: steps.is_empty(),
                    }));
                    open_lines = OpenLines::default();
                }
                steps.push(Step::Segment(Segment {
                    run: index,
                    start_bytes: position.max(run.start_bytes),
                    end_bytes: run.end_bytes,
                    maximum_time_before: maximum_time,
                    starts_whole: !open_lines.any(),
                }));
                open_lines = open_lines.then(run.open_lines);
                position = run.end_bytes;
                maximum_time = maximum_time.max(run.maximum_time);
            }
            let last = gone.into_iter().max_by_key(|index| runs[*index].end_bytes);
            if let Some(index) = last.filter(|index| runs[*index].end_bytes > position) {
                steps.push(Step::Gap(Gap {
                    path: group.path,
                    start_bytes: position,
                    end_bytes: runs[index].end_bytes,
                    next_run: index,
                    at_the_beginning: steps.is_empty(),
                }));
                open_lines = OpenLines::default();
            }
        }
        Self { steps }
    }

    /// The segments.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.steps.iter().filter_map(|step| match step {
            Step::Segment(segment) => Some(segment),
            Step::Gap(_) => None,
        })
    }

    /// The gaps.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.gaps_before(self.steps.len())
    }

    /// The gaps before a step.
    pub fn gaps_before(&self, step: usize) -> impl Iterator<Item = &Gap> {
        self.steps[..step].iter().filter_map(|step| match step {
            Step::Gap(gap) => Some(gap),
            Step::Segment(_) => None,
        })
    }

    /// Bytes of the source that are there.
    pub fn available_bytes(&self) -> u64 {
        self.segments()
            .map(|segment| segment.end_bytes - segment.start_bytes)
            .sum()
    }

    /// How far the only generation of an event log is known without a gap from `start_bytes` on.
    pub fn contiguous_end_bytes(&self, start_bytes: u64) -> u64 {
        let mut end = start_bytes;
        for segment in self.segments() {
            if segment.start_bytes > end {
                break;
            }
            end = end.max(segment.end_bytes);
        }
        end
    }
}

/// A carriage return that Fluent Bit took away shows as one missing byte between two objects. Who
/// tells generations takes no bytes away: there a missing byte is missing.
fn tolerance(kind: StreamKind, position: u64, run: &Run) -> u64 {
    let may_lack_one = kind == StreamKind::Container && run.generation.is_none();
    u64::from(may_lack_one && position > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        run::RawObject,
        testing::{SourceFile, assemble, container_files, pieces_of},
    };

    fn gaps_of(
        files: &[SourceFile],
        keep: impl Fn(usize) -> bool,
        lines_per_object: usize,
    ) -> Vec<(u64, u64)> {
        let pieces: Vec<_> = pieces_of(files, lines_per_object, false)
            .into_iter()
            .enumerate()
            .filter_map(|(index, piece)| keep(index).then_some(piece))
            .collect();
        let runs: Vec<_> = pieces.iter().map(|piece| piece.run.clone()).collect();
        let layout = Layout::new(StreamKind::Container, &runs);
        layout
            .gaps()
            .map(|gap| (gap.start_bytes, gap.end_bytes))
            .collect()
    }

    #[test]
    fn removed_object_is_a_gap_to_the_byte() {
        let files = container_files(&[100], 1);
        let starts = files[0].line_starts();
        assert_eq!(
            gaps_of(&files, |index| index != 3, 10),
            [(starts[30], starts[40])]
        );
        assert_eq!(gaps_of(&files, |index| index != 0, 10), [(0, starts[10])]);
        assert_eq!(gaps_of(&files, |_| true, 10), []);
    }

    #[test]
    fn gap_in_a_later_generation_is_found() {
        let files = container_files(&[20, 20], 1);
        let starts = files[1].line_starts();
        // Objects 0 to 3 are the first file's.
        assert_eq!(
            gaps_of(&files, |index| index != 5, 5),
            [(starts[5], starts[10])]
        );
    }

    #[test]
    fn missing_byte_is_a_carriage_return_of_a_shipper_that_takes_them_and_a_gap_of_one_that_does_not()
     {
        let gaps = |generation: Option<&str>, kind: StreamKind, missing_bytes: usize| {
            let line = "2026-11-21T03:00:00Z stdout F a";
            let start = line.len() + 1;
            let runs = [0, start + missing_bytes].map(|offset| {
                let record = serde_json::json!({
                    "path": "/a", "offset": offset, "log": line, "generation": generation,
                });
                let object = RawObject::parse(record.to_string().as_bytes());
                object.pieces[0].run.clone()
            });
            let gaps = Layout::new(kind, &runs).gaps().cloned().collect::<Vec<_>>();
            let length = |gap: &Gap| {
                assert_eq!(gap.start_bytes, start as u64);
                gap.end_bytes - gap.start_bytes
            };
            gaps.iter().map(length).collect::<Vec<_>>()
        };
        let (log, events) = (StreamKind::Container, StreamKind::EventLog);
        assert_eq!(gaps(None, log, 1), [0; 0]);
        assert_eq!(gaps(Some("7-1"), log, 1), [1]);
        assert_eq!(gaps(None, events, 1), [1]);
        for generation in [None, Some("7-1")] {
            assert_eq!(gaps(generation, log, 0), [0; 0]);
            assert_eq!(gaps(generation, log, 2), [2]);
        }
    }

    proptest! {
        /// Whatever the order, the cuts and the repeats: the bytes of the source, in order.
        #[test]
        fn any_arrival_gives_the_source(
            line_counts in prop::collection::vec(1_usize..60, 1..4),
            seed: u64,
            told: bool,
            plan in prop::collection::vec((0_usize..1000, 1_usize..40), 0..12),
            shuffle in prop::collection::vec(0_usize..1000, 7..20),
        ) {
            let files = container_files(&line_counts, seed);
            let mut pieces = pieces_of(&files, 7, told);
            // Parts of the source again, cut in other places.
            for (start, length) in plan {
                let file = &files[start % files.len()];
                let first = start % file.lines.len();
                let last = (first + length).min(file.lines.len());
                pieces.push(file.piece(first..last, told));
            }
            let count = pieces.len();
            for index in (1..count).rev() {
                let other = shuffle[index % shuffle.len()] % (index + 1);
                pieces.swap(index, other);
            }
            let expected: Vec<u8> = files.iter().flat_map(SourceFile::bytes).collect();
            let (bytes, gaps) = assemble(StreamKind::Container, &pieces);
            prop_assert_eq!(gaps, 0);
            prop_assert!(bytes == expected, "{} bytes of {}", bytes.len(), expected.len());
        }
    }
}
