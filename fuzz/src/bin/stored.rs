//! What log-broker kept in the store, after anything happened to it there: it is refused, or reads
//! back from its own print, and what goes on from it does not panic. And event logs as drivers
//! leave them: chunks are whole lines, and what is cut off at a torn end is its last line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use log_broker_domain::domain::{
    checkpoint::{Checkpoint, ChunkRange},
    chunk,
    manifest::Manifest,
    retention::{Batch, LogKind, RetentionRecord},
};
use serde_json::{from_slice, to_vec};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    match first % 5 {
        0 => checkpoint(rest),
        1 => manifest(rest),
        2 => record(rest),
        3 => batch(rest),
        _ => event_log(rest),
    }
});

fn checkpoint(bytes: &[u8]) {
    let Ok(checkpoint) = from_slice::<Checkpoint>(bytes) else {
        return;
    };
    let printed = to_vec(&checkpoint).expect("it has text keys only");
    assert_eq!(
        from_slice::<Checkpoint>(&printed).ok(),
        Some(checkpoint.clone())
    );
    let directory = checkpoint.keys().directory();
    assert!(
        checkpoint
            .keys()
            .chunk(checkpoint.chunk_count)
            .starts_with(&directory)
    );
    let chunk = ChunkRange {
        start_bytes: checkpoint.position_bytes(),
        end_bytes: checkpoint.position_bytes(),
        synthetic_end_milliseconds: Some(0),
    };
    let ended = checkpoint.with_chunk(chunk, 0, 1).manifest();
    assert!(ended.synthetic_end && ended.is_newer_than(&checkpoint.manifest()));
}

fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = from_slice::<Manifest>(bytes) {
        let printed = to_vec(&manifest).expect("it has text keys only");
        assert_eq!(
            from_slice::<Manifest>(&printed).ok(),
            Some(manifest.clone())
        );
        assert!(!manifest.is_newer_than(&manifest));
    }
}

fn record(bytes: &[u8]) {
    let Ok(mut record) = from_slice::<RetentionRecord>(bytes) else {
        return;
    };
    let printed = to_vec(&record).expect("it has text keys only");
    assert_eq!(
        from_slice::<RetentionRecord>(&printed).ok(),
        Some(record.clone())
    );
    for kind in LogKind::ALL {
        record.reopen(kind);
        record.withdraw(kind);
        if let Some(deletion) = record.deletions.get(&kind).cloned() {
            record.finish(kind, deletion.batch_count, deletion.planned);
            record.open(&Batch {
                application_id: record.application_id.clone(),
                kind,
                number: 1,
                request: deletion.request,
                objects: Vec::new(),
            });
        }
    }
}

fn batch(bytes: &[u8]) {
    let Ok(batch) = from_slice::<Batch>(bytes) else {
        return;
    };
    let id = "m01hf7yat00v2t9d4h5w8k3e6qz".parse().expect("is an id");
    let mut record = RetentionRecord::new(id);
    let now = Default::default();
    record.start_on_request(batch.kind, batch.request.clone(), now);
    record.open(&batch);
    record.finish(batch.kind, batch.number, now);
    assert!(record.is_deleted(batch.kind));
}

fn event_log(bytes: &[u8]) {
    let (limit, log) = bytes.split_first().unwrap_or((&0, &[]));
    let end = chunk::cut(log, usize::from(*limit));
    assert!(end == 0 || log[end - 1] == b'\n');
    let whole = chunk::without_torn_line(log);
    assert!(log.starts_with(whole));
    let torn = &log[whole.len()..];
    assert!(!torn.strip_suffix(b"\n").unwrap_or(torn).contains(&b'\n'));
    chunk::has_application_end(log);
    chunk::spark_application_id(log);
}
