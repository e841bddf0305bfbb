//! The recorded cases of Fluent Bit: what it put, and the files that it read.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use jiff::Timestamp;
use moka_log_broker::domain::{
    keys::KeyGrammar,
    record::RawRecord,
    stream::{Source, StreamKind, StreamName, original_path},
};
use moka_objects::ObjectKey;

use crate::raw::attempt;

const CORPORA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/corpora/fluent-bit"
);

/// Every recorded case, and how many streams it has.
pub(crate) const CASES: [(&str, usize); 7] = [
    ("container-restart", 1),
    ("driver-crash", 1),
    ("healthy", 4),
    ("multipart", 1),
    ("rotation", 1),
    ("s3-5xx", 2),
    ("sigterm-restart", 2),
];

/// The keys under which the cases were recorded.
pub(crate) fn grammar() -> KeyGrammar {
    KeyGrammar {
        containers: "logs/{pod}/{container}/".parse().unwrap(),
        events: "events-raw/{file}/".parse().unwrap(),
    }
}

/// One stream of a case.
pub(crate) struct Stream {
    pub(crate) source: Source,
    /// The files that it was read from, oldest first.
    pub(crate) files: Vec<SourceFile>,
    /// What was put, in the order of arrival.
    pub(crate) objects: Vec<(ObjectKey, Bytes)>,
}

/// One generation of a file as it was on its node.
pub(crate) struct SourceFile {
    /// The path that it was written under.
    pub(crate) path: String,
    /// Its whole lines: one that a driver's death has torn is not shipped.
    pub(crate) bytes: Vec<u8>,
}

/// A gap as a reader should name it: path, first missing byte, byte after the gap.
pub(crate) type NamedGap = (String, u64, u64);

/// Reads a case.
pub(crate) fn load(case: &str) -> Vec<Stream> {
    let (_directory, root) = unpack(case);
    let mut streams: BTreeMap<Source, Stream> = BTreeMap::new();
    let files = files_in(&root.join("source/containers"), "/var/log/containers");
    let events = files_in(&root.join("source/events"), "/var/log/spark-events");
    for file in files.into_iter().chain(events) {
        let source = source_of(&file.path);
        let stream = streams.entry(source.clone()).or_insert_with(|| Stream {
            source,
            files: Vec::new(),
            objects: Vec::new(),
        });
        stream.files.push(file);
    }
    let uploads = fs::read_to_string(root.join("uploads.jsonl")).unwrap();
    for upload in uploads.lines() {
        let upload: serde_json::Value = serde_json::from_str(upload).unwrap();
        let key = ObjectKey::new(upload["key"].as_str().unwrap()).unwrap();
        let bytes = fs::read(root.join(upload["file"].as_str().unwrap())).unwrap();
        let source = grammar().source_of(attempt(), key.as_str()).unwrap();
        let stream = streams.get_mut(&source).unwrap();
        stream.objects.push((key, bytes.into()));
    }
    for stream in streams.values_mut() {
        stream
            .files
            .sort_by_key(|file| first_time(&file.bytes).map(|time| (time, file.path.clone())));
    }
    streams.into_values().collect()
}

impl Stream {
    pub(crate) fn name(&self) -> StreamName {
        StreamName {
            attempt: attempt(),
            source: self.source.clone(),
        }
    }

    pub(crate) fn kind(&self) -> StreamKind {
        self.source.kind()
    }

    pub(crate) fn prefix(&self) -> String {
        grammar().stream_prefix(&self.name())
    }

    /// What all files held.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.files
            .iter()
            .flat_map(|file| file.bytes.iter().copied())
            .collect()
    }

    /// The gaps that these objects leave, by the files alone: bytes of a file that none of them
    /// holds, before a byte of that file that one of them does.
    pub(crate) fn gaps(&self, objects: &[&[u8]]) -> Vec<NamedGap> {
        let mut held: Vec<Vec<Range<u64>>> = vec![Vec::new(); self.files.len()];
        for object in objects {
            for json in lines(object) {
                let record = RawRecord::parse(json).unwrap();
                let (file, end) = self.place(&record);
                held[file].push(record.offset_bytes..end);
            }
        }
        let mut gaps = Vec::new();
        for (file, mut ranges) in self.files.iter().zip(held) {
            ranges.sort_by_key(|range| range.start);
            let mut position = 0;
            for range in ranges {
                if range.start > position {
                    gaps.push((file.path.clone(), position, range.start));
                }
                position = position.max(range.end);
            }
        }
        gaps
    }

    /// The file that a record was read from, and the byte after its line end there. Fluent Bit
    /// takes the carriage return in front of a newline away.
    fn place(&self, record: &RawRecord<'_>) -> (usize, u64) {
        let line_in = |file: &SourceFile| {
            let start = usize::try_from(record.offset_bytes).unwrap();
            let rest = file.bytes.get(start..)?.strip_prefix(&*record.line)?;
            let line_end = [&b"\n"[..], b"\r\n"]
                .into_iter()
                .find(|line_end| rest.starts_with(line_end))?;
            Some((start + record.line.len() + line_end.len()) as u64)
        };
        let of_path = |file: &&SourceFile| file.path == original_path(&record.path);
        let mut places = self
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| of_path(file))
            .filter_map(|(index, file)| Some((index, line_in(file)?)));
        places
            .next()
            .expect("the record is a line of a source file")
    }
}

/// Cuts an object into parts of consecutive records.
pub(crate) fn cut(object: &[u8], part_count: usize) -> Vec<Bytes> {
    let records: Vec<_> = lines(object).collect();
    let part = records.len().div_ceil(part_count).max(1);
    records
        .chunks(part)
        .map(|records| {
            let lines = records.iter().flat_map(|record| [*record, b"\n"]);
            lines.flatten().copied().collect::<Vec<_>>().into()
        })
        .collect()
}

/// The time in front of the first line, when it is a CRI line.
pub(crate) fn first_time(bytes: &[u8]) -> Option<Timestamp> {
    let time = bytes.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(time).ok()?.parse().ok()
}

fn lines(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    object
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
}

fn unpack(case: &str) -> (tempfile::TempDir, PathBuf) {
    let archive = fs::File::open(Path::new(CORPORA).join(format!("{case}.tar.zst"))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let decoder = zstd::stream::read::Decoder::new(archive).unwrap();
    tar::Archive::new(decoder).unpack(directory.path()).unwrap();
    let root = directory.path().join(case);
    (directory, root)
}

fn files_in(directory: &Path, node_directory: &str) -> Vec<SourceFile> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let mut bytes = fs::read(entry.path()).unwrap();
            let newline = bytes.iter().rposition(|byte| *byte == b'\n');
            bytes.truncate(newline.map_or(0, |position| position + 1));
            let path = format!("{node_directory}/{}", original_path(&name));
            SourceFile { path, bytes }
        })
        .collect()
}

fn source_of(path: &str) -> Source {
    let name = path.rsplit('/').next().unwrap();
    let Some((pod, rest)) = name.split_once("_spark-jobs_") else {
        return Source::EventLog {
            file: name.to_owned(),
        };
    };
    let (container, _id) = rest.rsplit_once('-').unwrap();
    Source::Container {
        pod: pod.to_owned(),
        container: container.to_owned(),
    }
}
