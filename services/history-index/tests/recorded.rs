//! What the real History Server answered for recorded logs, we answer too, field by field.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test support")]

#[path = "support/corpus.rs"]
mod corpus;

use moka_history_index::domain::{fold::Snapshot, layout::Layout, log_reader::LogReader};
use serde::Serialize;
use serde_json::Value;

use self::corpus::Corpus;

/// Applications whose logs have a codec that is not read yet.
const UNSUPPORTED: [&str; 3] = [
    "local-1795182461351",
    "local-1795182468747",
    "local-1795182476103",
];

#[test]
fn recorded_applications_are_answered_as_by_the_history_server() {
    let corpus = Corpus::unpack();
    let mut compared = 0;
    for (id, paths) in corpus.logs() {
        if UNSUPPORTED.contains(&id.as_str()) {
            continue;
        }
        let snapshot = read(&corpus, &id, &paths, 100_000);
        // The History Server lists the newest first.
        compare(&corpus, &id, "jobs", snapshot.jobs.iter().rev());
        compare(&corpus, &id, "stages", snapshot.stages.iter().rev());
        compare(&corpus, &id, "allexecutors", snapshot.executors.iter());
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn logs_of_other_codecs_say_which() {
    let corpus = Corpus::unpack();
    for (id, paths) in corpus.logs() {
        let layout = layout(&id, &paths);
        let expected = UNSUPPORTED
            .iter()
            .zip(["lz4", "snappy", "lzf"])
            .find(|(one, _)| **one == id);
        assert_eq!(
            layout.unsupported_codec(),
            expected.map(|(_, codec)| codec),
            "{id}"
        );
    }
}

#[test]
fn repeated_and_reordered_chunks_change_nothing() {
    let corpus = Corpus::unpack();
    for (id, mut paths) in corpus.logs() {
        if UNSUPPORTED.contains(&id.as_str()) {
            continue;
        }
        let once = read(&corpus, &id, &paths, 7_777);
        paths.reverse();
        let files = corpus.log_files();
        let mut reader = LogReader::default();
        let layout = layout(&id, &paths);
        for round in 0..2 {
            for chunk in layout.chunks.iter().rev() {
                let bytes = &files[path_of(&paths, &chunk.name)];
                let name = format!("{round}-{}", chunk.name);
                reader.feed(&name, &chunk.codec, bytes).unwrap();
                reader.close(&name);
            }
        }
        assert_eq!(reader.fold().snapshot(), once, "{id}");
    }
}

#[test]
fn lines_in_any_order_give_the_same_answers() {
    let corpus = Corpus::unpack();
    let files = corpus.log_files();
    let path = "eventlog_v2_app-20261120130610-0000/events_1_app-20261120130610-0000";
    let mut lines: Vec<_> = files[path].split_inclusive(|byte| *byte == b'\n').collect();
    let in_order = fold_lines(&lines);
    lines.reverse();
    assert_eq!(fold_lines(&lines), in_order);
    // A fixed shuffle: 7919 is prime to the number of lines.
    let count = lines.len();
    assert_ne!(count % 7919, 0);
    let shuffled: Vec<_> = (0..count)
        .map(|place| lines[place * 7919 % count])
        .collect();
    assert_eq!(fold_lines(&shuffled), in_order);
}

fn fold_lines(lines: &[&[u8]]) -> Snapshot {
    let mut reader = LogReader::default();
    let codec = moka_history_index::domain::codec::Codec::Plain;
    for line in lines {
        reader.feed("events_1_a", &codec, line).unwrap();
    }
    reader.close("events_1_a");
    assert_eq!(reader.tally().event_count, lines.len() as u64);
    reader.fold().snapshot()
}

fn read(corpus: &Corpus, id: &str, paths: &[String], piece_bytes: usize) -> Snapshot {
    let files = corpus.log_files();
    let layout = layout(id, paths);
    let mut reader = LogReader::default();
    for chunk in &layout.chunks {
        for piece in files[path_of(paths, &chunk.name)].chunks(piece_bytes) {
            reader.feed(&chunk.name, &chunk.codec, piece).unwrap();
        }
        if layout.is_finished {
            reader.close(&chunk.name);
        }
    }
    assert!(
        !reader.tally().is_incomplete(),
        "{id}: {:?}",
        reader.tally()
    );
    assert_eq!(reader.tally().unknown_event_count, 0, "{id}");
    reader.fold().snapshot()
}

fn layout(id: &str, paths: &[String]) -> Layout {
    let names = paths.iter().map(|path| path.rsplit('/').next().unwrap());
    if paths[0].contains('/') {
        Layout::of_rolling(names).unwrap()
    } else {
        Layout::of_single(id, names).unwrap()
    }
}

fn path_of<'a>(paths: &'a [String], name: &str) -> &'a String {
    paths.iter().find(|path| path.ends_with(name)).unwrap()
}

fn compare<T: Serialize>(corpus: &Corpus, id: &str, list: &str, ours: impl Iterator<Item = T>) {
    let theirs = corpus.answer(&format!("{id}/{list}"));
    let theirs = theirs.as_array().unwrap();
    let ours: Vec<_> = ours.map(|one| serde_json::to_value(one).unwrap()).collect();
    assert_eq!(ours.len(), theirs.len(), "{id}/{list}");
    for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let (ours, theirs) = (fields(ours), fields(theirs));
        for (name, value) in theirs {
            // The clock of whoever answers is part of this one while the application runs.
            let is_running = corpus_is_running(id);
            if is_running && name == "totalDuration" && ours["id"] == "driver" {
                continue;
            }
            assert_eq!(ours.get(name), Some(value), "{id}/{list}[{place}].{name}");
        }
        let extra: Vec<_> = ours
            .keys()
            .filter(|name| !theirs.contains_key(*name))
            .collect();
        assert!(extra.is_empty(), "{id}/{list}[{place}] has {extra:?}");
    }
}

fn corpus_is_running(id: &str) -> bool {
    ["local-1795176741830", "local-1795176962993"].contains(&id)
}

fn fields(value: &Value) -> &serde_json::Map<String, Value> {
    value.as_object().unwrap()
}
