//! What log-shipper finds on a node: names that drivers chose, its own spool and offsets after
//! anything happened to the disk, and files of any bytes, which log-broker must read back from the
//! records that are made of them.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use log_broker_domain::domain::run::RawObject;
use log_shipper_domain::domain::{
    Batch, ClusterName, EventLogName, Generation, PodLogName, Progress, RecordWriter, StreamId,
    complete_length, lines,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    match first % 4 {
        0 => spool(rest),
        1 => offsets(rest),
        2 => names(&String::from_utf8_lossy(rest)),
        _ => ship(rest),
    }
});

fn spool(file: &[u8]) {
    if let Ok(batch) = Batch::parse(&Bytes::copy_from_slice(file)) {
        let again = [&batch.head()[..], &batch.object[..]].concat();
        let again = Batch::parse(&again.into()).expect("it was one before");
        assert_eq!(again, batch);
    }
}

fn offsets(bytes: &[u8]) {
    let Ok((id, progress)) = serde_json::from_slice::<(StreamId, Progress)>(bytes) else {
        return;
    };
    let printed = serde_json::to_vec(&(&id, &progress)).expect("it has text keys only");
    assert_eq!(
        serde_json::from_slice(&printed).ok(),
        Some((id.clone(), progress.clone()))
    );
    let rewritten = progress.rewritten(0);
    assert!(rewritten.generation >= progress.generation && rewritten.offset_bytes == 0);
    assert_eq!(Progress::start(&id, 0).offset_bytes, 0);
}

/// Up to three names, one to a line.
fn names(text: &str) {
    let mut names = text.split('\n');
    let mut name = || names.next().unwrap_or_default();
    let (directory, middle, file) = (name(), name(), name());
    if let Some(log) = PodLogName::parse(directory, middle, file) {
        let path = log.written_path();
        assert!(
            format!("{directory}/{middle}/{file}").starts_with(&path),
            "{path}"
        );
        check_prefix(
            &log.source()
                .key_prefix(&"local".parse().expect("is a name")),
        );
        assert!(!PodLogName::is_copy(file));
    }
    if let Some(log) = EventLogName::parse(directory, middle) {
        check_prefix(
            &log.source()
                .key_prefix(&"local".parse().expect("is a name")),
        );
    }
    if let Ok(cluster) = text.parse::<ClusterName>() {
        assert_eq!(cluster.as_str(), text);
    }
    if let Ok(generation) = text.parse::<Generation>() {
        assert_eq!(generation.to_string().parse(), Ok(generation));
    }
}

/// A name can be no other folder's.
fn check_prefix(prefix: &str) {
    let legal = |part: &str| !part.is_empty() && part != "." && part != "..";
    assert!(prefix.split('/').all(legal), "{prefix}");
    assert!(!prefix.contains(char::is_control), "{prefix:?}");
}

fn ship(file: &[u8]) {
    assert!(
        file[..complete_length(file)]
            .last()
            .is_none_or(|byte| *byte == b'\n')
    );
    let writer = RecordWriter {
        date: "2026-11-21T03:00:00Z",
        path: "/p/0.log",
        generation: "1-2",
        cluster: "local",
    };
    let mut records = Vec::new();
    for (start, line, torn) in lines(file) {
        writer
            .write(&mut records, start as u64, line, torn)
            .expect("memory takes it");
    }
    let read = RawObject::parse(&records);
    assert_eq!(read.malformed_count, 0);
    let bytes: Vec<u8> = read
        .pieces
        .iter()
        .flat_map(|piece| piece.bytes.clone())
        .collect();
    assert_eq!(bytes, file);
    assert!(read.pieces.len() <= 1);
}
