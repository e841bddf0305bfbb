//! Raw objects of any bytes, and records that lie about where their lines stood: nothing panics,
//! what is put in order holds no byte twice and none that no record has, gaps are where nothing
//! is, and lines have rising places.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use log_broker_domain::domain::{
    layout::{Layout, Segment, Step},
    lines::{LineJoiner, Place},
    run::{Piece, RawObject, Run},
    stream::StreamKind,
};

/// Of records, objects are made sooner than of letters.
const RECORD_BYTES: usize = 5;
const PATHS: [&str; 3] = ["/p/0.log", "/p/0.log.20261121-030405", "/p/1.log"];
const GENERATIONS: [Option<&str>; 4] = [None, Some("1-100"), Some("2-200"), Some("none")];
const LINES: [&str; 12] = [
    "",
    "a",
    "\r",
    "2026-11-21T03:00:00Z stdout F",
    "2026-11-21T03:00:00Z stdout F a",
    "2026-11-21T03:00:00.5Z stdout P b",
    "2026-11-21T03:00:00.5Z stderr P c",
    "2026-11-21T03:00:01Z stderr F d",
    "2026-11-21T02:59:59.999999999Z stdout F e",
    "-009999-01-02T00:00:00Z stdout F f",
    "9999-12-30T22:00:00.9Z stdout P:x g",
    "{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":1}",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let object = match first % 2 {
        0 => RawObject::parse(rest),
        _ => RawObject::parse(records(rest).as_bytes()),
    };
    let pieces = &object.pieces;
    pieces.iter().for_each(check_piece);
    let runs: Vec<Run> = pieces.iter().map(|piece| piece.run.clone()).collect();
    for kind in [StreamKind::Container, StreamKind::EventLog] {
        check(&Layout::new(kind, &runs), pieces);
        let without = Layout::without(kind, &runs, |run| run % 2 == 0);
        assert!(without.segments().all(|segment| segment.run % 2 == 1));
        check(&without, pieces);
    }
});

/// Offsets are near each other, and sometimes near the end of what an offset can be.
fn records(plan: &[u8]) -> String {
    let mut text = String::new();
    let mut next_offset = 0_u64;
    for plan in plan.chunks_exact(RECORD_BYTES) {
        let [path, generation, line, offset, flags] = *plan else {
            continue;
        };
        let line = LINES[usize::from(line) % LINES.len()];
        let offset = match offset {
            0..=127 => next_offset,
            128..=249 => u64::from(offset - 128),
            _ => (1 << 62) - u64::from(255 - offset),
        };
        let torn = flags & 1 == 1;
        next_offset = offset + line.len() as u64 + u64::from(!torn) + u64::from(flags & 2 == 2);
        let record = serde_json::json!({
            "path": PATHS[usize::from(path) % PATHS.len()],
            "offset": offset,
            "generation": GENERATIONS[usize::from(generation) % GENERATIONS.len()],
            "log": line,
            "torn": torn,
        });
        text.push_str(&record.to_string());
        text.push('\n');
    }
    text
}

fn check_piece(piece: &Piece) {
    let run = &piece.run;
    assert_eq!(run.end_bytes - run.start_bytes, piece.bytes.len() as u64);
    for waypoint in &piece.waypoints {
        assert!((run.start_bytes..run.end_bytes).contains(&waypoint.offset_bytes));
    }
}

fn check(layout: &Layout, pieces: &[Piece]) {
    let mut joiner = LineJoiner::default();
    let mut last = None;
    let mut available_bytes = 0;
    for step in &layout.steps {
        match step {
            Step::Gap(gap) => assert!(gap.start_bytes < gap.end_bytes, "{gap:?}"),
            Step::Segment(segment) => {
                let bytes = Bytes::copy_from_slice(bytes_of(segment, pieces));
                available_bytes += bytes.len() as u64;
                for line in bytes.split(|byte| *byte == b'\n') {
                    joiner.push(line, &bytes, &mut |placed| {
                        let Place::Time(time, ordinal) = placed.place else {
                            panic!("{placed:?}");
                        };
                        let place = (time, ordinal);
                        assert!(last < Some(place), "{last:?} before {place:?}");
                        last = Some(place);
                    });
                }
            }
        }
    }
    assert_eq!(layout.available_bytes(), available_bytes);
    joiner.finish();
}

fn bytes_of<'a>(segment: &Segment, pieces: &'a [Piece]) -> &'a [u8] {
    // The mark of a loss has no bytes.
    assert!(segment.start_bytes <= segment.end_bytes, "{segment:?}");
    let Piece { run, bytes, .. } = &pieces[segment.run];
    let place = |offset: u64| usize::try_from(offset - run.start_bytes).expect("it is in memory");
    &bytes[place(segment.start_bytes)..place(segment.end_bytes)]
}
