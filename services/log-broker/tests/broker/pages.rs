//! Pages of a large object: each costs what it gives, not what the object holds.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use moka_log_broker::{
    archive::{GrowingIndex, Limits, RawObjects, StepReader, StreamIndex},
    domain::{
        cursor::Cursor,
        lines::PlacedLine,
        stream::{Source, StreamKind},
    },
    metrics::Metrics,
};
use moka_objects::MemoryStore;

use crate::{
    raw::{FILE, object, text},
    serving::{LIMITS, driver_target, texts},
    world::{PATH, World, driver},
};

/// What is read at once: 64 KiB and the rest of a line.
const MOST_BYTES_AT_ONCE: usize = (64 << 10) + 200;

/// Some 4 MB of lines, several of each time, of two outputs.
fn lines() -> Vec<String> {
    let start: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
    let line = |number: i32| {
        let time = start + SignedDuration::from_millis(i64::from(number / 3));
        let output = if number % 2 == 0 { "stdout" } else { "stderr" };
        format!("{time} {output} F {number} {}", "x".repeat(80))
    };
    (0..30_000).map(line).collect()
}

/// The index of one object with all lines, and the archive.
async fn indexed(kind: StreamKind, lines: &[String]) -> (StreamIndex, RawObjects) {
    let world = World::new();
    world.ship("1", object(PATH, Some("7-1"), 0, lines)).await;
    let memory = Arc::new(MemoryStore::clone(&world.store.memory));
    let objects = RawObjects::new(memory, 64 << 20, Metrics::default());
    let source = match kind {
        StreamKind::Container => driver().source,
        StreamKind::EventLog => Source::EventLog {
            file: PATH.rsplit('/').next().unwrap().to_owned(),
        },
    };
    let mut growing = GrowingIndex::unsaved(StreamIndex::of_source(&source));
    let listed = objects.list("logs/").await.unwrap();
    growing.refresh(&objects, listed, 0, None).await.unwrap();
    (StreamIndex::clone(growing.index()), objects)
}

#[tokio::test]
async fn page_from_any_cursor_reads_a_part_and_gives_what_the_whole_has() {
    let lines = lines();
    assert!(text(&lines).len() > 3 << 20, "{FILE}");
    for kind in [StreamKind::Container, StreamKind::EventLog] {
        let (index, objects) = indexed(kind, &lines).await;
        let mut whole = Vec::new();
        let mut reader = StepReader::at(&index, 0);
        while let Some(read) = reader.read(&index, &objects).await.unwrap() {
            let bytes: usize = read.lines.iter().map(|line| line.line.text.len() + 1).sum();
            assert!(bytes <= MOST_BYTES_AT_ONCE, "{kind:?}: {bytes} at once");
            whole.extend(read.lines);
        }
        whole.extend(reader.finish());
        assert_eq!(whole.len(), lines.len());
        for position in (0..whole.len()).step_by(97) {
            let cursor = whole[position].after();
            let mut reader = StepReader::after(&index, cursor);
            let mut skipped = 0;
            let next = loop {
                let read = reader.read(&index, &objects).await.unwrap();
                let read = read.map_or_else(|| reader.finish(), |read| read.lines);
                let is_known = |line: &PlacedLine| line.is_up_to(cursor);
                skipped += read.iter().filter(|line| is_known(line)).count();
                if read.is_empty() || read.iter().any(|line| !is_known(line)) {
                    break read.into_iter().find(|line| !is_known(line));
                }
            };
            assert_eq!(
                next.as_ref(),
                whole.get(position + 1),
                "{kind:?} after {position}"
            );
            // Two parts at most: some lines have the time of the first one of a part.
            assert!(
                skipped * 80 <= 2 * MOST_BYTES_AT_ONCE,
                "{kind:?}: {skipped} lines skipped"
            );
        }
    }
}

#[tokio::test]
async fn pages_one_after_another_are_the_log() {
    let lines = lines();
    let world = World::new();
    world.ship("1", object(PATH, Some("7-1"), 0, &lines)).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let limits = Limits {
        lines: 1_000,
        ..LIMITS
    };
    let mut cursor = Cursor::Begin;
    let mut received = Vec::new();
    loop {
        let answer = serving.read(&target, cursor, limits).await.unwrap();
        assert!(answer.lines.len() <= 1_000);
        cursor = answer.next;
        received.extend(texts(&answer));
        if answer.finished {
            break;
        }
    }
    let expected = lines.iter().map(|line| line.splitn(4, ' ').nth(3).unwrap());
    assert!(expected.eq(received.iter().map(String::as_str)));
    assert_ne!(serving.metrics.readers.pages_ahead.get(), 0);
}
