//! Source files and what a shipper makes of them, for tests.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::{
    layout::Layout,
    run::{Piece, RawObject},
    stream::StreamKind,
};

/// A file as it was on its node.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) generation: String,
    pub(crate) lines: Vec<String>,
}

impl SourceFile {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lines
            .iter()
            .flat_map(|line| line.bytes().chain([b'\n']))
            .collect()
    }

    pub(crate) fn line_starts(&self) -> Vec<u64> {
        let mut position = 0;
        let mut starts = Vec::new();
        for line in &self.lines {
            starts.push(position);
            position += line.len() as u64 + 1;
        }
        starts
    }

    /// The records of some lines, as an object.
    pub(crate) fn object(&self, lines: Range<usize>, told: bool) -> Vec<u8> {
        let starts = self.line_starts();
        let mut object = Vec::new();
        for line in lines {
            let mut record = serde_json::json!({
                "path": self.path, "offset": starts[line], "log": self.lines[line], "date": 0.5,
            });
            if told {
                record["generation"] = self.generation.clone().into();
            }
            object.extend_from_slice(record.to_string().as_bytes());
            object.push(b'\n');
        }
        object
    }

    pub(crate) fn piece(&self, lines: Range<usize>, told: bool) -> Piece {
        RawObject::parse(&self.object(lines, told)).pieces.remove(0)
    }
}

/// Generations of one container's log file.
pub(crate) fn container_files(line_counts: &[usize], seed: u64) -> Vec<SourceFile> {
    let mut time: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    let mut random = seed | 1;
    let files = line_counts.iter().enumerate().map(|(index, count)| {
        let lines = (0..*count).map(|line| {
            random = random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            // Some lines have the time of the one before.
            time += SignedDuration::from_nanos(
                i64::try_from((random >> 60) / 4).unwrap() * 500 + i64::from(line == 0),
            );
            format!(
                "{time} stdout F {line} {}",
                "x".repeat((random >> 58) as usize % 3)
            )
        });
        SourceFile {
            path: "/var/log/pods/ns_pod_uid/container/0.log".to_owned(),
            generation: format!("{}-{}", 100 - index, 1_000 + index),
            lines: lines.collect(),
        }
    });
    files.collect()
}

/// The files as objects of so many lines.
pub(crate) fn pieces_of(files: &[SourceFile], lines_per_object: usize, told: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for file in files {
        for start in (0..file.lines.len()).step_by(lines_per_object) {
            pieces.push(file.piece(
                start..(start + lines_per_object).min(file.lines.len()),
                told,
            ));
        }
    }
    pieces
}

/// The stream's bytes and how many gaps it has.
pub(crate) fn assemble(kind: StreamKind, pieces: &[Piece]) -> (Vec<u8>, usize) {
    let runs: Vec<_> = pieces.iter().map(|piece| piece.run.clone()).collect();
    let layout = Layout::new(kind, &runs);
    let mut bytes = Vec::new();
    for segment in layout.segments() {
        let piece = &pieces[segment.run];
        let start = usize::try_from(segment.start_bytes - piece.run.start_bytes).unwrap();
        bytes.extend_from_slice(&piece.bytes[start..]);
    }
    (bytes, layout.gaps().count())
}
