//! Puts files together again from what is in the store, as a reader of raw records would.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use moka_objects::ObjectStore;
use serde::Deserialize;

/// A record as `docs/raw-records.md` lays it down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Record {
    pub(crate) date: String,
    pub(crate) path: String,
    pub(crate) offset: u64,
    pub(crate) log: Option<String>,
    pub(crate) log_base64: Option<String>,
    pub(crate) generation: String,
    pub(crate) cluster: String,
    #[serde(default)]
    pub(crate) torn: bool,
    pub(crate) lost_bytes: Option<u64>,
}

impl Record {
    /// The bytes that the file holds at the offset.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match (&self.log, &self.log_base64) {
            (Some(log), None) => log.clone().into_bytes(),
            (None, Some(encoded)) => STANDARD.decode(encoded).unwrap(),
            _ => panic!("exactly one form of the line: {self:?}"),
        };
        if !self.torn {
            bytes.push(b'\n');
        }
        bytes
    }
}

/// Every record with the key of its object, in the order of the keys.
pub(crate) async fn records(store: &dyn ObjectStore) -> Vec<(String, Record)> {
    let mut records = Vec::new();
    let mut start_after = None;
    loop {
        let page = store.list("", start_after.as_deref(), 1_000).await.unwrap();
        for meta in page.objects {
            let object = store.get(&meta.key).await.unwrap().unwrap();
            let text = zstd::decode_all(&object.bytes[..]).unwrap();
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let record = serde_json::from_slice(line).unwrap();
                records.push((meta.key.to_string(), record));
            }
        }
        match page.next {
            Some(next) => start_after = Some(next),
            None => return records,
        }
    }
}

/// Bytes by path and generation. Duplicates must agree; the bytes end where the first gap begins.
pub(crate) async fn reassembled(store: &dyn ObjectStore) -> BTreeMap<(String, String), Vec<u8>> {
    let mut lines: BTreeMap<(String, String), BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
    for (_, record) in records(store).await {
        let stream = (record.path.clone(), record.generation.clone());
        let bytes = record.bytes();
        let former = lines
            .entry(stream)
            .or_default()
            .insert(record.offset, bytes.clone());
        assert!(
            former.is_none_or(|former| former == bytes),
            "records disagree: {record:?}"
        );
    }
    let put_together = |lines: BTreeMap<u64, Vec<u8>>| {
        let mut bytes = Vec::new();
        for (offset, line) in lines {
            if offset != bytes.len() as u64 {
                break;
            }
            bytes.extend(line);
        }
        bytes
    };
    lines
        .into_iter()
        .map(|(stream, lines)| (stream, put_together(lines)))
        .collect()
}
